"""Asks a PACS for studies over DICOMweb."""

from __future__ import annotations

from integrations.connector import Work, connector
from integrations.connectors.dicom_find import Input, Output
from integrations.dicom import studies
from integrations.messages import log
from integrations.messages.log import Outbound


@connector(
    "dicomweb.search", title=("Search studies (DICOMweb)", "检索检查（DICOMweb）"), group=("Imaging", "影像"), connection="dicomweb",
    standard="DICOMweb QIDO-RS (PS3.18 section 10.6)", icon="image",
)  # fmt: skip
def search(given: Input, work: Work) -> Output:
    """Asks for a patient's or an order's studies over DICOMweb, each with a link to the viewer.

    通过 DICOMweb 查询患者或医嘱的检查，并附阅片链接。
    """
    link = work.link()
    asked = studies.wanted(given.accession, given.patient_id, given.study_uid, given.dates)
    message = Outbound("dicomweb.search", work.call.key[:120], asked.keys(), None, given.patient_id)
    found = log.exchange(work.call, link, message, lambda: studies.kept(studies.by_web(link, asked, given.most)))
    return Output(studies.restored(found))
