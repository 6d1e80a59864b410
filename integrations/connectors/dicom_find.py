"""Asks a PACS for studies over DIMSE."""

from __future__ import annotations

from dataclasses import dataclass

from integrations.connector import Work, connector
from integrations.dicom import studies
from integrations.dicom.studies import Study
from integrations.messages import log
from integrations.messages.log import Outbound
from integrations.schema import about


@dataclass(frozen=True)
class Input:
    """What to look for: at least one of the first three."""

    accession: str | None = about("Accession number", "检查号", default=None)
    patient_id: str | None = about("Patient", "患者", default=None)
    study_uid: str | None = about("Study instance UID", "检查实例 UID", default=None)
    dates: str | None = about("Date or range: 20261101-20261130", "日期或区间：20261101-20261130", default=None)
    most: int = about("Most studies", "最多检查数", default=50)


@dataclass(frozen=True)
class Output:
    """The studies."""

    studies: list[Study] = about("Studies", "检查")  # noqa: RUF009  about() makes a field


@connector(
    "dicom.find", title=("Find studies in the PACS", "查询 PACS 检查"), group=("Imaging", "影像"), connection="pacs",
    standard="DICOM C-FIND, study root (PS3.4 annex C)", icon="image",
)  # fmt: skip
def find(given: Input, work: Work) -> Output:
    """Asks for a patient's or an order's studies over DIMSE. Asking changes nothing, so it may be repeated.

    通过 DIMSE 查询患者或医嘱的检查。查询不改变任何内容，可重复执行。
    """
    link = work.link()
    asked = studies.wanted(given.accession, given.patient_id, given.study_uid, given.dates)
    message = Outbound("dicom.find", work.call.key[:120], asked.keys(), None, given.patient_id)
    found = log.exchange(work.call, link, message, lambda: studies.kept(studies.by_dimse(link, asked, given.most)))
    return Output(studies.restored(found))
