"""Watches a PACS for the studies of our worklist, by accession number over QIDO-RS, and tells the visit that waits."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from engine import clock
from engine.db import write_lock
from engine.execution import messages
from integrations import schema
from integrations.connections import book
from integrations.connections.book import Link
from integrations.dicom import studies
from integrations.dicom.studies import Study, Wanted
from integrations.dicom.tables import OPEN_DAYS, WorklistEntry
from integrations.messages import log, worklist
from integrations.messages.tables import MessageLog
from integrations.patients import index

MOST_A_ROUND = 50


def look(sessions: sessionmaker[Session], link: Link) -> int:
    """Asks the PACS once for each open entry, the longest unasked first; returns how many studies were announced.

    A study counts as complete when it has as many images as at the look before: it may still be arriving. Raises ConnectorFailed.
    """
    oldest = clock.now() - timedelta(days=float(link.address.get("watch_days", OPEN_DAYS)))
    with sessions() as session:
        query = select(WorklistEntry.id, WorklistEntry.accession).where(WorklistEntry.state == "scheduled", WorklistEntry.created >= oldest)
        waiting = session.execute(query.order_by(WorklistEntry.checked.is_not(None), WorklistEntry.checked).limit(MOST_A_ROUND)).all()
    announced = 0
    for entry_id, accession in waiting:
        found = studies.by_web(link, Wanted(accession=accession), 10)
        with sessions() as session:
            write_lock(session)
            announced += _seen(session, link, session.get_one(WorklistEntry, entry_id), found)
            session.commit()
    return announced


def _seen(session: Session, link: Link, entry: WorklistEntry, found: list[Study]) -> int:
    images = sum(study.images for study in found)
    complete = images > 0 and images == entry.images
    entry.checked, entry.images = clock.now(), images
    if not complete or entry.state != "scheduled":
        return 0
    return sum(arrive(session, link, entry, study) for study in found)


def arrive(session: Session, link: Link, entry: WorklistEntry, study: Study) -> bool:
    """Notes a study of an entry and publishes its message; whether it was published. The same study again changes nothing.

    A study under another patient's number goes to the work list: images in the wrong record harm.
    """
    control = study.study_uid[:120]
    if session.scalar(select(MessageLog).filter_by(connection=link.name, direction="in", control=control)) is not None:
        return False
    ordered = log.by_reference(session, entry.order_id)
    payload = payload_of(entry, study)
    row = MessageLog(
        direction="in", connection=link.name, kind="dicom.study", control=control, reference=entry.order_id, patient_id=entry.patient_id,
        instance_id=ordered.instance_id if ordered else None, element_id=ordered.element_id if ordered else None, state="matched", attempts=1,
        raw={"text": schema.write(study)}, mapped=payload, at=clock.now(), ended=clock.now(),
    )  # fmt: skip
    session.add(row)
    session.flush()
    known = index.by_record_number(session, study.patient_number)
    if known is None or index.present(session, known.id).id != index.present(session, entry.patient_id).id:
        worklist.add(session, row, "other_patient", f"Its patient is not the one that the order was made for ({entry.order_id})")
        row.state = "unmatched"
        return False
    entry.state = "done"
    # A later study of the same order is news too, so the study's number is part of the message's
    message_id = log.digest(f"{link.name}|{entry.order_id}|{study.study_uid}")
    messages.publish(session, entry.announce, entry.order_id, payload, message_id=message_id, actor=link.name)
    return True


def payload_of(entry: WorklistEntry, study: Study) -> dict[str, object]:
    """What the process hears. There is no report yet: `status` is `available`, findings and impression are null."""
    return {
        "orderId": entry.order_id, "accession": entry.accession, "studyUid": study.study_uid, "status": "available", "findings": None,
        "impression": None, "images": study.images, "modalities": study.modalities, "viewer": study.viewer,
    }  # fmt: skip


def watched(session: Session) -> list[Link]:
    """The started DICOMweb connections that say `watch`."""
    started = [book.copy(row) for row in book.listed(session) if row.kind == "dicomweb" and row.state == "started"]
    return [link for link in started if link.address.get("watch")]
