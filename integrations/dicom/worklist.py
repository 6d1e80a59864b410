"""The modality worklist: entries, and the DICOM data set that a modality gets of each (DICOM PS3.4 annex K, table K.6-1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import clock
from integrations.dicom.tables import OPEN_DAYS, WorklistEntry
from integrations.hl7.write import split_name
from integrations.patients import index

UTF8, GB18030 = "ISO_IR 192", "GB18030"  # PS3.3 section C.12.1.1.2
MOST_ANSWERS = 500
_WORKLIST_SOP = "1.2.840.10008.5.1.4.31"
_SEXES = {"male": "M", "female": "F", "other": "O"}
_PRIORITIES = {"urgent": "HIGH", "stat": "STAT"}


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be imaged, when and where."""

    order_id: str
    accession: str
    study_uid: str
    patient_id: str
    visit_number: str
    code: str
    name: str
    modality: str
    station: str
    priority: str
    starts: datetime
    announce: str


def schedule(session: Session, connection: str, step: Step) -> WorklistEntry:
    """Puts a step on the worklist, or changes the one of the same order; a step that is done stays as it is."""
    row = find(session, step.order_id)
    if row is None:
        row = WorklistEntry(order_id=step.order_id, created=clock.now(), state="scheduled", images=0)
        session.add(row)
    if row.state == "done":
        return row
    row.connection, row.accession, row.study_uid, row.patient_id = connection, step.accession, step.study_uid, step.patient_id
    row.visit_number, row.procedure, row.modality = step.visit_number, {"code": step.code, "name": step.name}, step.modality
    row.station, row.priority, row.starts, row.announce, row.state = step.station, step.priority, step.starts, step.announce, "scheduled"
    session.flush()
    return row


def cancel(session: Session, order_id: str) -> WorklistEntry | None:
    """Takes a step off the worklist; None when there is none of that order."""
    row = find(session, order_id)
    if row is not None and row.state == "scheduled":
        row.state = "cancelled"
        session.flush()
    return row


def find(session: Session, order_id: str) -> WorklistEntry | None:
    """The entry of an order."""
    return session.scalar(select(WorklistEntry).where(WorklistEntry.order_id == order_id))


def scheduled(session: Session, connection: str, *, modality: str = "", accession: str = "") -> list[WorklistEntry]:
    """What modalities see, in the order of its time: of that modality and accession number where they are given.

    A step that nobody performed within two weeks of its time is off the list, as its patient will not come any more.
    """
    oldest = clock.now() - timedelta(days=OPEN_DAYS)
    query = select(WorklistEntry).where(
        WorklistEntry.state == "scheduled", WorklistEntry.connection == connection, WorklistEntry.starts >= oldest
    )
    exact = {name: value for name, value in (("modality", modality), ("accession", accession)) if value}
    return list(session.scalars(query.filter_by(**exact).order_by(WorklistEntry.starts, WorklistEntry.id)))


def data_set(session: Session, entry: WorklistEntry, *, zone: str, charset: str = UTF8, station: str = "ANY") -> Dataset:
    """The entry as a modality gets it. Dates are the clinic's own."""
    patient = index.present(session, entry.patient_id)
    starts = entry.starts.astimezone(ZoneInfo(zone))
    made = Dataset()
    made.SpecificCharacterSet = charset
    made.AccessionNumber = entry.accession
    made.PatientName = person_name(str(patient.body.get("name") or ""))
    made.PatientID = patient.record_number
    made.IssuerOfPatientID = "CARELANE"
    made.PatientBirthDate = str(patient.body.get("birthDate") or "").replace("-", "")
    made.PatientSex = _SEXES.get(str(patient.body.get("sex")), "")
    made.PatientWeight, made.MedicalAlerts, made.PregnancyStatus = None, "", None
    made.Allergies = _fitting(str(patient.body.get("allergies") or ""), 64)
    made.ReferringPhysicianName = made.RequestingPhysician = ""
    made.AdmissionID = entry.visit_number[:64]
    made.StudyInstanceUID = entry.study_uid
    made.RequestedProcedureID = entry.accession
    made.RequestedProcedureDescription = _fitting(entry.procedure["name"], 64)
    made.RequestedProcedureCodeSequence = [_code(entry)]
    made.RequestedProcedurePriority = _PRIORITIES.get(entry.priority, "ROUTINE")
    made.PlacerOrderNumberImagingServiceRequest = entry.order_id[:64]
    made.ReferencedStudySequence, made.ReferencedPatientSequence = [], []
    made.ScheduledProcedureStepSequence = [_step(entry, starts, station)]
    return made


def person_name(name: str) -> str:
    """A DICOM person name: family^given. A Chinese name stands as it is, since no transliteration of it is known."""
    family, given = split_name(name)
    return f"{family}^{given}" if family and given else family or given


def file_of(folder: Path, order_accession: str) -> Path:
    """Where the worklist file of an accession number lies."""
    return folder / f"{order_accession}.wl"


def write_file(folder: Path, data: Dataset) -> Path:
    """Writes a worklist file as Orthanc and dcmtk's wlmscpfs read it; a reader never sees half of it."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        ExplicitVRLittleEndian, _WORKLIST_SOP, data.StudyInstanceUID,
    )  # fmt: skip
    path = file_of(folder, str(data.AccessionNumber))
    partial = path.with_suffix(".part")
    file = FileDataset(str(partial), data, file_meta=meta, preamble=b"\0" * 128)
    file.save_as(partial, enforce_file_format=True)
    partial.replace(path)
    return path


def _step(entry: WorklistEntry, starts: datetime, station: str) -> Dataset:
    step = Dataset()
    step.ScheduledStationAETitle = entry.station or station
    step.ScheduledProcedureStepStartDate = starts.strftime("%Y%m%d")
    step.ScheduledProcedureStepStartTime = starts.strftime("%H%M%S")
    step.Modality = entry.modality
    step.ScheduledPerformingPhysicianName = step.ScheduledProcedureStepLocation = step.ScheduledStationName = ""
    step.ScheduledProcedureStepDescription = _fitting(entry.procedure["name"], 64)
    step.ScheduledProtocolCodeSequence = [_code(entry)]
    step.ScheduledProcedureStepID = entry.accession
    step.ScheduledProcedureStepStatus = "SCHEDULED"
    return step


def _code(entry: WorklistEntry) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = entry.procedure["code"][:16], "99CARELANE"
    code.CodeMeaning = _fitting(entry.procedure["name"], 64)
    return code


def _fitting(text: str, most: int) -> str:
    return text.replace("\\", " ").replace("\r", " ").replace("\n", " ")[:most]
