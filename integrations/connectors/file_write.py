"""Writes a file for a system that fetches files."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from engine import clock
from engine.errors import ConnectorFailed
from integrations import runtime
from integrations.connector import REFUSED, Work, connector
from integrations.files import dropping, layout, writing
from integrations.messages import log
from integrations.messages.log import Outbound
from integrations.schema import about

NAME = re.compile(r"[^/\\\x00-\x1f.][^/\\\x00-\x1f]{0,199}")
MOST_ROWS = 50_000


@dataclass(frozen=True)
class Input:
    """The rows and the file's name; how it is laid out says the connection."""

    name: str = about("File name", "文件名", help=("{day}, {time} and {key} are filled in.", "可用 {day}、{time}、{key} 占位。"))
    rows: list[dict[str, Any]] = about("Rows", "数据行", personal=True)  # noqa: RUF009  about() makes a field
    columns: list[str] = about("Columns in their order; empty: as the rows have them", "列及顺序，空为按数据行", default=[])  # noqa: RUF009
    header: bool = about("A first line with the names (CSV)", "首行为列名（CSV）", default=True)
    line_end: str = about(
        "Lines end with", "换行", default="crlf", choices={"crlf": ("CR LF (Windows)", "CR LF（Windows）"), "lf": ("LF", "LF")}
    )
    bom: bool = about("Byte order mark (UTF-8, for Excel)", "写入 BOM（UTF-8，供 Excel）", default=False)
    replace: bool = about("Replace a file of that name", "覆盖同名文件", default=False)
    reference: str | None = about("What it is about: an order, a visit", "关联的单号", default=None)


@dataclass(frozen=True)
class Output:
    """The file as it was written."""

    file: str = about("File", "文件")
    size: int = about("Bytes", "字节数")
    digest: str = about("Digest (SHA-256)", "摘要（SHA-256）")


@connector(
    "file.write", title=("Write a file", "写入文件"), group=("General", "通用"), connection="files", standard="CSV, XML or fixed width; folder or SFTP",
    icon="table", errors=REFUSED,
)  # fmt: skip
def write(given: Input, work: Work) -> Output:
    """Writes rows as a CSV, XML or fixed-width file in GBK, GB18030 or UTF-8. It appears whole under its name, once for a call.

    将数据行写为 CSV、XML 或定长文件（GBK、GB18030 或 UTF-8）。文件写完后才以正式名称出现，同一次调用只写一次。
    """
    link = work.link()
    mark = log.digest(work.call.key)[:24]
    laid = layout.read(link.name, link.address)
    if given.columns and laid.format == "csv":
        laid = replace(laid, columns=tuple(given.columns))
    if len(given.rows) > MOST_ROWS:
        raise ConnectorFailed(f"rows: {len(given.rows)} at once; {MOST_ROWS} is the most", kind="permanent")
    content = writing.content(
        given.rows, laid, line_end="\n" if given.line_end == "lf" else "\r\n", header=given.header, bom=given.bom
    )  # fmt: skip
    sent = {"file": given.name, "rows": len(given.rows), "payload": given.rows[:100]}
    message = Outbound(f"file.{laid.format}", work.call.key[:120], sent, given.reference, work.call.subject)

    def put() -> dict[str, Any]:
        name = dropping.drop(link, _name(given.name, mark), content, mark, replace=given.replace)
        return {"file": name, "size": len(content), "digest": log.digest(content)}

    answer = log.exchange(work.call, link, message, put)
    return Output(**answer)


def _name(text: str, mark: str) -> str:
    now = clock.now().astimezone(ZoneInfo(runtime.settings().clinic_zone))
    name = text.replace("{day}", f"{now:%Y%m%d}").replace("{time}", f"{now:%H%M%S}").replace("{key}", mark[:12])
    if not NAME.fullmatch(name):
        raise ConnectorFailed(f"name: {name!r} cannot be a file's name here", kind="permanent")
    return name
