"""Checks that a PACS is there."""

from __future__ import annotations

import time
from dataclasses import dataclass

from integrations.connector import Work, connector
from integrations.messages import log
from integrations.messages.log import Outbound
from integrations.schema import about


@dataclass(frozen=True)
class Input:
    """Nothing but the connection."""


@dataclass(frozen=True)
class Output:
    """How long it took."""

    seconds: float = about("Seconds", "秒")


@connector(
    "dicom.echo", title=("Check the PACS", "检查 PACS 连通"), group=("Imaging", "影像"), connection="pacs", standard="DICOM C-ECHO (PS3.4 annex A)",
    icon="image",
)  # fmt: skip
def check(given: Input, work: Work) -> Output:
    """Asks the PACS whether it is there and takes our AE title.

    确认 PACS 可达并接受本方 AE 标题。
    """
    from integrations.dicom import scu

    link = work.link()

    def go() -> dict[str, float]:
        started = time.monotonic()
        scu.echo(link)
        return {"seconds": round(time.monotonic() - started, 3)}

    return Output(log.exchange(work.call, link, Outbound("dicom.echo", work.call.key[:120], {}), go)["seconds"])
