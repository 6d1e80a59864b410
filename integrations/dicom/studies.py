"""Studies that a PACS knows: the query, what comes back of it, over DIMSE and over DICOMweb (QIDO-RS, PS3.18 section 10.6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from engine.errors import ConnectorFailed, NotFound
from integrations import http, runtime, schema
from integrations.connections.book import Link
from integrations.patients import index
from integrations.schema import about

if TYPE_CHECKING:
    from pydicom import Dataset  # slow to load, and most processes never ask a PACS

MEDIA = "application/dicom+json"
_ASKED = (
    "StudyInstanceUID", "AccessionNumber", "StudyDate", "StudyTime", "StudyDescription", "ModalitiesInStudy", "PatientID", "PatientName",
    "NumberOfStudyRelatedInstances",
)  # fmt: skip


@dataclass(frozen=True)
class Study:
    """A study in the PACS."""

    study_uid: str = about("Study instance UID", "检查实例 UID")
    accession: str = about("Accession number", "检查号")
    date: str = about("Date, YYYYMMDD", "日期，YYYYMMDD")
    description: str = about("Description", "描述")
    modalities: str = about("Modalities", "设备类型")
    patient_number: str = about("Record number of the patient", "病案号")
    patient_name: str = about("Name of the patient", "患者姓名", personal=True)
    images: int = about("Images", "图像数")
    viewer: str = about("Link to the viewer", "阅片链接", default="")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for; at least one of them is given."""

    accession: str = ""
    patient_number: str = ""
    study_uid: str = ""
    dates: str = ""  # a day or a range, as DICOM writes it: 20261101-20261130

    def keys(self) -> dict[str, str]:
        """The matching keys with their values."""
        given = {
            "AccessionNumber": self.accession, "PatientID": self.patient_number, "StudyInstanceUID": self.study_uid, "StudyDate": self.dates,
        }  # fmt: skip
        return {name: value for name, value in given.items() if value}


def wanted(accession: str | None, patient_id: str | None, study_uid: str | None, dates: str | None) -> Wanted:
    """A query from a call's input; ConnectorFailed (permanent) where it would list the whole archive or match by wildcard."""
    for name, value in (("accession", accession), ("studyUid", study_uid)):
        if value and any(sign in value for sign in "*?\\"):
            raise ConnectorFailed(f"{name}: wildcards would find other patients' studies", kind="permanent")
    if not (accession or patient_id or study_uid):
        raise ConnectorFailed("accession, patientId, studyUid: one of them is required", kind="permanent")
    return Wanted(accession or "", record_number(patient_id) if patient_id else "", study_uid or "", dates or "")


def record_number(patient_id: str) -> str:
    """The number by which the PACS knows a patient of our index."""
    with runtime.reading() as session:
        try:
            return str(index.present(session, patient_id).record_number)
        except NotFound as error:
            raise ConnectorFailed(f"patientId: there is no patient {patient_id!r} in the index", kind="permanent") from error


def by_dimse(link: Link, asked: Wanted, most: int) -> list[Study]:
    """Studies by C-FIND, study root."""
    from pydicom import Dataset

    from integrations.dicom import scu

    query = Dataset()
    query.SpecificCharacterSet, query.QueryRetrieveLevel = "ISO_IR 192", "STUDY"
    for name in _ASKED:
        setattr(query, name, asked.keys().get(name, ""))
    return [_of_data_set(link, data) for data in scu.find(link, query, most)]


def by_web(link: Link, asked: Wanted, most: int) -> list[Study]:
    """Studies by QIDO-RS below the connection's address and `path`."""
    from pydicom import Dataset

    params: dict[str, Any] = {
        **asked.keys(),
        "limit": most,
        "includefield": ["StudyDescription", "ModalitiesInStudy", "NumberOfStudyRelatedInstances"],
    }
    path = f"{str(link.address.get('path', '')).rstrip('/')}/studies"
    answer = http.request(link, "GET", path, headers={"Accept": MEDIA, **http.credentials(link)}, params=params)
    if answer.status_code == 204:
        return []
    if answer.status_code >= 400:
        raise ConnectorFailed(f"{link.name} answered {answer.status_code}", kind="permanent")
    try:
        found = [Dataset.from_json(item) for item in answer.json()]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConnectorFailed(f"{link.name}: the answer is no DICOM JSON", kind="permanent") from error
    return [_of_data_set(link, data) for data in found]


def kept(found: Iterable[Study]) -> list[dict[str, Any]]:
    """Studies as the message log keeps them: under the process's names, by which it knows what to mask."""
    return [schema.write(study) for study in found]


def restored(rows: Iterable[Mapping[str, Any]]) -> list[Study]:
    """Studies from the message log."""
    return [Study(**{item.name: row[schema.camel(item.name)] for item in fields(Study)}) for row in rows]


def viewer_link(address: Mapping[str, Any], study_uid: str, accession: str) -> str:
    """The address at which a person sees the study: the connection's `viewer` with {study} and {accession} filled in."""
    pattern = str(address.get("viewer", ""))
    return pattern.replace("{study}", quote(study_uid, safe="")).replace("{accession}", quote(accession, safe=""))


def _of_data_set(link: Link, data: Dataset) -> Study:
    from integrations.dicom import match

    uid, accession = match.text(data, "StudyInstanceUID"), match.text(data, "AccessionNumber")
    count = match.text(data, "NumberOfStudyRelatedInstances")
    return Study(
        uid, accession, match.text(data, "StudyDate"), match.text(data, "StudyDescription"), match.text(data, "ModalitiesInStudy"),
        match.text(data, "PatientID"), match.text(data, "PatientName").split("=")[0].replace("^", ""), int(count) if count.isdigit() else 0,
        viewer_link(link.address, uid, accession),
    )  # fmt: skip
