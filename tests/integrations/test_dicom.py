"""DICOM against a real Orthanc, and our own worklist asked by a real client: Chinese names arrive, studies come back to their visit."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import ModalityWorklistInformationFind, SecondaryCaptureImageStorage
from requests import Session as Requests
from requests.auth import HTTPBasicAuth
from sqlalchemy import select

from engine import clock
from engine.db import write_lock
from engine.errors import ConnectorFailed
from engine.execution import instances, tasks
from engine.execution.tables import Message, Task
from engine.execution.worker import Worker
from engine.models import deploy
from integrations.connections import book, probe
from integrations.dicom import arrivals, match, worklist
from integrations.dicom.listener import Listener
from integrations.dicom.tables import WorklistEntry
from integrations.messages.tables import MessageLog, WorkItem
from tests.far_ends import orthanc
from tests.far_ends.orthanc import PASSWORD, USER, Orthanc
from tests.integrations.conftest import World
from tests.machines import free_port

CHEST = {"code": "CXR", "name": "胸部 X 线", "modality": "DX"}
RARE = "𠮷田媺"  # a character beyond the basic plane, and one that GB 2312 lacks


@pytest.fixture(scope="session")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc.running(tmp_path_factory.mktemp("orthanc")) as made:
        yield made


@pytest.fixture
def imaging(world: World, tmp_path: Path) -> Iterator[World]:
    """A clinic that serves its worklist and knows a PACS's address; the PACS itself is another fixture's."""
    with world.sessions() as session:
        book.put(session, "worklist", "dicom_listener", direction="in",
                 address={"host": "127.0.0.1", "port": free_port(), "ae_title": "CARELANE", "callers": "XRAY1 CARELANE", "timeout": 5})  # fmt: skip
        session.commit()
    book.forget()
    listener = Listener(world.sessions, world.settings)
    listener.round()
    yield world
    for _, server in listener.servers.values():
        server.stop()


@pytest.fixture
def archive(imaging: World, pacs: Orthanc) -> World:
    """The same clinic with connections to the running PACS."""
    with imaging.sessions() as session:
        address = {"host": "127.0.0.1", "port": pacs.dicom_port, "ae_title": "ORTHANC", "timeout": 5}
        book.put(session, "pacs", "dicom", address=address)
        web = {"url": pacs.url, "path": "/dicom-web", "timeout": 5, "watch": True, "viewer": "https://viewer.example/?study={study}"}
        book.put(session, "dicomweb", "dicomweb", address=web, secrets={"user": USER, "password": PASSWORD}, direction="both")
        book.put(session, "files", "dicom_folder", address={"folder": str(pacs.worklists), "station": "XRAY1"})
        session.commit()
    book.forget()
    return imaging


def order(world: World, order_id: str, key: str = "", **changes: Any) -> dict[str, Any]:
    values = {"patientId": world.patient_id, "visitNumber": "V1", "orderId": order_id, "procedure": CHEST, **changes}
    return dict(world.call("dicom.worklist", key or f"key-{order_id}", **values))


def asked(**keys: str) -> Dataset:
    """A worklist query as a modality makes it."""
    query, step = Dataset(), Dataset()
    for name in (
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "AccessionNumber",
        "StudyInstanceUID",
        "RequestedProcedureDescription",
    ):
        setattr(query, name, keys.get(name, ""))
    for name in (
        "ScheduledStationAETitle",
        "ScheduledProcedureStepStartDate",
        "ScheduledProcedureStepStartTime",
        "Modality",
        "ScheduledProcedureStepID",
    ):
        setattr(step, name, keys.get(name, ""))
    query.SpecificCharacterSet = keys.get("charset", "ISO_IR 192")
    query.ScheduledProcedureStepSequence = [step]
    return query


def ask(port: int, query: Dataset, caller: str = "XRAY1", called: str = "CARELANE") -> list[Dataset]:
    """What a modality finds on a worklist."""
    ae = AE(ae_title=caller)
    ae.add_requested_context(ModalityWorklistInformationFind)
    association = ae.associate("127.0.0.1", port, ae_title=called)
    if not association.is_established:
        raise ConnectionRefusedError
    answers = list(association.send_c_find(query, ModalityWorklistInformationFind))
    association.release()
    assert answers[-1][0].Status == 0
    return [data for status, data in answers if status.Status in (0xFF00, 0xFF01)]


def port_of(world: World) -> int:
    with world.sessions() as session:
        return int(book.get(session, "worklist").address["port"])


def image(entry: Dataset, **changes: Any) -> Dataset:
    """The picture that a modality takes of a worklist entry: a grey gradient with the entry's own attributes."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    made.SpecificCharacterSet = entry.SpecificCharacterSet
    for name in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyInstanceUID"):
        setattr(made, name, getattr(entry, name))
    made.StudyDate, made.StudyTime = entry.ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartDate, "090000"
    made.StudyDescription = entry.RequestedProcedureDescription
    made.SeriesInstanceUID, made.Modality, made.SeriesNumber, made.InstanceNumber = generate_uid(), "DX", 1, 1
    made.Rows = made.Columns = 32
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelRepresentation = 1, "MONOCHROME2", 0
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit = 7
    made.PixelData = bytes(range(32)) * 32
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def store(pacs: Orthanc, picture: Dataset) -> None:
    ae = AE(ae_title="XRAY1")
    ae.add_requested_context(SecondaryCaptureImageStorage, ExplicitVRLittleEndian)
    association = ae.associate("127.0.0.1", pacs.dicom_port, ae_title="ORTHANC")
    assert association.is_established
    assert association.send_c_store(picture).Status == 0
    association.release()


def look(world: World) -> int:
    with world.sessions() as session:
        (link,) = arrivals.watched(session)
    return arrivals.look(world.sessions, link)


# ── our own worklist ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_modality_finds_what_was_ordered_with_its_chinese_name(imaging: World) -> None:
    made = order(imaging, "ORDER-1")
    (found,) = ask(port_of(imaging), asked(Modality="DX"))
    assert str(found.PatientName) == "王^小明"
    assert (found.AccessionNumber, found.StudyInstanceUID, found.SpecificCharacterSet) == (made["accession"], made["studyUid"], "ISO_IR 192")
    assert (found.RequestedProcedureDescription, found.PatientBirthDate, found.PatientSex) == ("胸部 X 线", "19850312", "M")
    assert found.ScheduledProcedureStepSequence[0].ScheduledProcedureStepID == made["accession"]


def test_an_old_modality_gets_gb18030(imaging: World) -> None:
    with imaging.sessions() as session:
        row = book.get(session, "worklist")
        row.address = {**row.address, "charset": "GB18030", "port": free_port()}
        session.commit()
    listener = Listener(imaging.sessions, imaging.settings)
    listener.round()
    patient = str(imaging.call("patient.save", "rare", name=RARE)["patientId"])
    order(imaging, "ORDER-1", patientId=patient)
    (found,) = ask(port_of(imaging), asked())
    assert (found.SpecificCharacterSet, str(found.PatientName)) == ("GB18030", worklist.person_name(RARE))
    for _, server in listener.servers.values():
        server.stop()


@pytest.mark.parametrize(
    ("keys", "count"),
    [
        ({}, 2), ({"Modality": "DX"}, 1), ({"Modality": "MR"}, 0), ({"PatientName": "王*"}, 2), ({"PatientName": "李*"}, 0), ({"PatientName": "王^小明"}, 2),
        ({"ScheduledStationAETitle": "CT9"}, 2), ({"ScheduledStationAETitle": "XRAY1"}, 1), ({"ScheduledProcedureStepStartDate": "{before}-{after}"}, 2),
        ({"ScheduledProcedureStepStartDate": "{after}-"}, 0), ({"ScheduledProcedureStepStartDate": "{today}"}, 2), ({"AccessionNumber": "A?*"}, 2),
        ({"AccessionNumber": "NO"}, 0),
    ],
)  # fmt: skip
def test_keys_are_matched_as_the_standard_says(imaging: World, keys: dict[str, str], count: int) -> None:
    today = clock.now().astimezone(ZoneInfo(imaging.settings.clinic_zone)).replace(hour=9)
    days = {name: f"{today + timedelta(days=count):%Y%m%d}" for name, count in (("before", -2), ("today", 0), ("after", 2))}
    keys = {name: value.format(**days) for name, value in keys.items()}
    order(imaging, "ORDER-1", starts=today.isoformat())
    order(
        imaging,
        "ORDER-2",
        starts=today.replace(hour=10).isoformat(),
        station="CT9",
        procedure={"code": "CT", "name": "头颅 CT", "modality": "CT"},
    )
    assert len(ask(port_of(imaging), asked(**keys))) == count


def test_only_those_who_may_ask_are_answered(imaging: World) -> None:
    with pytest.raises(ConnectionRefusedError):
        ask(port_of(imaging), asked(), caller="STRANGER")


def test_a_cancelled_order_disappears_and_the_same_order_is_listed_once(imaging: World) -> None:
    order(imaging, "ORDER-1", "k1")
    order(imaging, "ORDER-1", "k2", priority="stat")
    assert len(ask(port_of(imaging), asked())) == 1
    order(imaging, "ORDER-1", "k3", action="cancel")
    assert ask(port_of(imaging), asked()) == []


def test_a_step_that_nobody_performed_leaves_the_list_after_two_weeks(imaging: World) -> None:
    order(imaging, "ORDER-1", starts=(clock.now() - timedelta(days=15)).isoformat())
    order(imaging, "ORDER-2", starts=(clock.now() - timedelta(days=13)).isoformat())
    assert len(ask(port_of(imaging), asked())) == 1


def test_a_correction_of_the_patient_shows_at_once(imaging: World) -> None:
    order(imaging, "ORDER-1")
    imaging.call("patient.save", "corrected", patientId=imaging.patient_id, name="王晓明")
    assert [str(found.PatientName) for found in ask(port_of(imaging), asked())] == ["王^晓明"]


@pytest.mark.parametrize("changes", [{"starts": "tomorrow"}, {"patientId": "nobody"}, {"procedure": {**CHEST, "modality": "X" * 17}}])
def test_what_cannot_be_scheduled_is_named(imaging: World, changes: dict[str, Any]) -> None:
    with pytest.raises(ConnectorFailed, match=next(iter(changes))) as failed:
        order(imaging, "ORDER-1", **changes)
    assert failed.value.kind == "permanent"


def test_a_server_whose_connection_is_stopped_is_closed(imaging: World) -> None:
    listener = Listener(imaging.sessions, imaging.settings)
    with imaging.sessions() as session:
        row = book.get(session, "worklist")
        row.address = {**row.address, "port": free_port()}
        session.commit()
    listener.round()
    assert list(listener.servers) == ["worklist"]
    with imaging.sessions() as session:
        book.switch(session, "worklist", "stopped", by="engineer")
        session.commit()
    listener.round()
    assert listener.servers == {}


def test_our_own_worklist_is_tested_by_an_echo(imaging: World) -> None:
    with imaging.sessions() as session:
        assert probe.test(session, "worklist").good


def test_no_name_lies_open_in_the_worklist(imaging: World) -> None:
    order(imaging, "ORDER-1")
    with imaging.sessions() as session:
        session.connection().exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    pages = b"".join(path.read_bytes() for path in imaging.settings.var_dir.glob("carelane.db*"))
    assert "胸部".encode() not in pages
    assert "王小明".encode() not in pages


def test_other_peoples_client_reads_our_worklist(imaging: World) -> None:
    """Dcmtk's findscu, where it is installed."""
    import shutil

    if (findscu := shutil.which("findscu")) is None:
        pytest.skip("findscu is not installed; Debian's package dcmtk has it")
    order(imaging, "ORDER-1")
    keys = ["-k", "0008,0050", "-k", "0010,0010", "-k", "0040,0100[0].0008,0060=DX"]
    command = [findscu, "-W", "-v", "-aet", "XRAY1", "-aec", "CARELANE", *keys, "127.0.0.1", str(port_of(imaging))]
    done = subprocess.run(command, capture_output=True, check=True, timeout=30)
    assert "王^小明".encode() in done.stdout + done.stderr


# ── a PACS ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_pacs_answers_our_echo(archive: World) -> None:
    assert float(str(archive.call("dicom.echo")["seconds"])) < 5
    with archive.sessions() as session:
        assert [probe.test(session, name).message for name in ("pacs", "dicomweb", "files")] == [
            "It answers the echo and takes our AE title.", "It answers queries.", "The folder can be written.",
        ]  # fmt: skip


def test_orthanc_serves_the_file_that_we_drop(archive: World, pacs: Orthanc) -> None:
    with archive.sessions() as session:
        book.switch(session, "worklist", "stopped", by="test")
        session.commit()
    from engine.execution.connectors import Call, get

    values = {"patientId": archive.patient_id, "visitNumber": "V1", "orderId": "FILE-1", "procedure": CHEST}
    made = get("dicom.worklist").call(Call("dicom.worklist", values, {"connection": "files"}, "f1", "i1", "e1"))
    (found,) = ask(pacs.dicom_port, asked(AccessionNumber=made["accession"]), called="ORTHANC")
    assert str(found.PatientName) == "王^小明"
    get("dicom.worklist").call(Call("dicom.worklist", {**values, "action": "cancel"}, {"connection": "files"}, "f2", "i1", "e1"))
    assert ask(pacs.dicom_port, asked(AccessionNumber=made["accession"]), called="ORTHANC") == []


@pytest.mark.parametrize("charset", ["ISO_IR 192", "GB18030"])
def test_a_stored_study_is_found_by_dimse_and_by_dicomweb(archive: World, pacs: Orthanc, charset: str) -> None:
    order_id = f"FIND-{charset[:2]}"
    made = order(archive, order_id)
    (entry,) = ask(port_of(archive), asked(AccessionNumber=made["accession"]))
    entry.SpecificCharacterSet = charset
    store(pacs, image(entry))
    for type_ in ("dicom.find", "dicomweb.search"):
        (study,) = archive.call(type_, f"{type_}{charset}", accession=made["accession"])["studies"]  # type: ignore[attr-defined]
        assert (study["studyUid"], study["accession"], study["images"]) == (made["studyUid"], made["accession"], 1)
        assert (study["patientName"], study["description"]) == ("王小明", "胸部 X 线")
    assert study["viewer"] == f"https://viewer.example/?study={made['studyUid']}"
    found = archive.call("dicom.find", f"p{charset}", patientId=archive.patient_id)["studies"]
    assert made["studyUid"] in [each["studyUid"] for each in found]  # type: ignore[attr-defined]


def test_the_image_comes_back_over_wado_as_it_went(archive: World, pacs: Orthanc) -> None:
    made = order(archive, "WADO-1")
    (entry,) = ask(port_of(archive), asked(AccessionNumber=made["accession"]))
    picture = image(entry)
    http = Requests()
    http.auth, http.trust_env = HTTPBasicAuth(USER, PASSWORD), False
    client = DICOMwebClient(f"{pacs.url}/dicom-web", session=http)
    buffer = BytesIO()
    picture.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    client.store_instances([dcmread(buffer)])
    (back,) = client.retrieve_study(str(made["studyUid"]))
    assert back.PixelData == picture.PixelData
    assert str(back.PatientName) == "王^小明"


def test_an_answer_in_the_log_is_not_asked_for_again_and_shows_no_name(archive: World, pacs: Orthanc) -> None:
    from integrations.messages import search

    made = order(archive, "LOG-1")
    (entry,) = ask(port_of(archive), asked(AccessionNumber=made["accession"]))
    store(pacs, image(entry))
    first = archive.call("dicomweb.search", "same", accession=made["accession"])
    with archive.sessions() as session:
        row = book.get(session, "dicomweb")
        row.address = {**row.address, "url": "http://127.0.0.1:9"}
        session.commit()
    book.forget()
    assert archive.call("dicomweb.search", "same", accession=made["accession"]) == first
    with archive.sessions() as session:
        (row_,) = search.find(session, connection="dicomweb")
        assert "王小明" in str(search.stages(row_, masked=False))
        assert "王小明" not in str(search.stages(row_, masked=True))


def test_a_pacs_that_hangs_is_transient(archive: World) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        with archive.sessions() as session:
            for name, address in (
                ("pacs", {"port": deaf.getsockname()[1]}),
                ("dicomweb", {"url": f"http://127.0.0.1:{deaf.getsockname()[1]}"}),
            ):
                row = book.get(session, name)
                row.address = {**row.address, **address, "timeout": 0.5}
            session.commit()
        book.forget()
        for type_ in ("dicom.find", "dicom.echo", "dicomweb.search"):
            with pytest.raises(ConnectorFailed) as failed:
                archive.call(type_, type_, **({} if type_ == "dicom.echo" else {"accession": "A1"}))
            assert failed.value.kind == "transient"


def test_a_query_that_would_list_the_archive_is_not_made(archive: World) -> None:
    for given in ({}, {"dates": "20261122"}, {"accession": "A*"}):
        with pytest.raises(ConnectorFailed) as failed:
            archive.call("dicom.find", str(given), **given)
        assert failed.value.kind == "permanent"


def test_wrong_credentials_are_permanent_and_a_pacs_that_is_off_is_transient(archive: World) -> None:
    for name, secrets, address, kind in (
        ("dicomweb", {"password": "wrong"}, {}, "permanent"),
        ("dicomweb", {}, {"url": "http://127.0.0.1:9"}, "transient"),
        ("pacs", {}, {"port": 9}, "transient"),
    ):
        with archive.sessions() as session:
            row = book.get(session, name)
            row.address, row.secrets = {**row.address, **address}, {**(row.secrets or {}), **secrets}
            session.commit()
        book.forget()
        with pytest.raises(ConnectorFailed) as failed:
            archive.call("dicomweb.search" if name == "dicomweb" else "dicom.find", f"{name}{address}", accession="A1")
        assert failed.value.kind == kind


# ── back to the visit ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_new_study_is_announced_once_when_it_no_longer_grows(archive: World, pacs: Orthanc) -> None:
    made = order(archive, "BACK-1")
    (entry,) = ask(port_of(archive), asked(AccessionNumber=made["accession"]))
    assert look(archive) == 0
    store(pacs, image(entry))
    assert look(archive) == 0, "one image so far; there may be more to come"
    store(pacs, image(entry))
    assert look(archive) == 0
    assert look(archive) == 1
    assert look(archive) == 0
    with archive.sessions() as session:
        (message,) = session.scalars(select(Message))
        assert (message.name, message.key) == ("imaging_result", "BACK-1")
        row = session.scalars(select(MessageLog).filter_by(kind="dicom.study")).one()
        assert (row.state, row.reference, row.patient_id, row.instance_id) == ("matched", "BACK-1", archive.patient_id, "i1")
        assert row.mapped["images"] == 2
        assert row.mapped["viewer"].endswith(str(made["studyUid"]))
        assert session.scalars(select(WorklistEntry)).one().state == "done"
    assert ask(port_of(archive), asked(AccessionNumber=made["accession"])) == []


def test_a_study_of_another_patient_goes_to_the_work_list(archive: World, pacs: Orthanc) -> None:
    made = order(archive, "WRONG-1")
    (entry,) = ask(port_of(archive), asked(AccessionNumber=made["accession"]))
    store(pacs, image(entry, PatientID="SOMEBODY-ELSE"))
    assert [look(archive), look(archive)] == [0, 0]
    with archive.sessions() as session:
        assert session.scalars(select(Message)).all() == []
        assert session.scalars(select(WorkItem)).one().reason == "other_patient"


def test_the_watch_survives_a_pacs_that_is_off(archive: World) -> None:
    order(archive, "OFF-1")
    with archive.sessions() as session:
        row = book.get(session, "dicomweb")
        row.address = {**row.address, "url": "http://127.0.0.1:9"}
        session.commit()
    listener = Listener(archive.sessions, archive.settings)
    with archive.sessions() as session:
        book.switch(session, "worklist", "stopped", by="test")
        session.commit()
    listener.round()
    with archive.sessions() as session:
        assert "cannot be reached" in str(book.get(session, "dicomweb").last_error)


def test_wildcards_and_ranges() -> None:
    def one(**values: str) -> Dataset:
        made = Dataset()
        for name, value in values.items():
            setattr(made, name, value)
        return made

    assert match.fits(one(PatientName="wang*"), one(PatientName="Wang^Xiao"))
    assert match.fits(one(PatientID="P[1]"), one(PatientID="P[1]"))
    assert not match.fits(one(PatientID="P[1]"), one(PatientID="P1"))
    assert not match.fits(one(StudyInstanceUID="1.2.3"), one(StudyInstanceUID="1.2"))


# ── the examination, end to end ──────────────────────────────────────────────────────────────────────────────────────────

EXAM = Path(__file__).parents[2] / "processes" / "exam"


def exam_without_ris() -> dict[str, bytes]:
    """The shipped process, in a clinic that has a PACS and no RIS: one task names another connector, with the same inputs."""
    diagram = (EXAM / "to-be.bpmn").read_text()
    assert diagram.count('type="hl7.omi_o23"') == 1
    rest = {path.name: path.read_bytes() for kind in ("decisions", "forms") for path in (EXAM / kind).iterdir()}
    return {"to-be.bpmn": diagram.replace('type="hl7.omi_o23"', 'type="dicom.worklist"').encode(), **rest}


def do(world: World, instance_id: str, element: str, values: dict[str, Any]) -> None:
    with world.sessions() as session:
        write_lock(session)
        task = session.scalars(select(Task).filter_by(instance_id=instance_id, element_id=element, state="open")).one()
        tasks.complete(session, task.id, values, user="test")
        session.commit()


def test_an_examination_runs_over_worklist_modality_and_pacs(archive: World, pacs: Orthanc) -> None:
    with archive.sessions() as session:
        write_lock(session)
        deploy.deploy(session, exam_without_ris(), by="test")
        start = {"patientId": archive.patient_id, "patientName": "王小明", "visitNumber": "PACS-V1", "department": "surgery", "acuity": 3}
        visit = instances.start(session, "exam", start, version_tag="to-be").id
        session.commit()
    worker = Worker(archive.sessions, archive.settings)
    consult = {"chiefComplaint": "咳嗽", "history": "3 天", "findings": "湿啰音", "labTests": [], "imagingStudy": "chest_xray"}
    do(archive, visit, "Task_Consult", consult)
    while worker.run_once():
        pass
    (entry,) = ask(port_of(archive), asked(PatientName="王^小明"))
    do(archive, visit, "Task_PerformImaging", {"identityChecked": True, "imagingNote": ""})
    store(pacs, image(entry))
    assert [look(archive), look(archive)] == [0, 1]
    while worker.run_once():
        pass
    with archive.sessions() as session:
        values = instances.variables(session, visit)
        waiting = session.scalars(select(Task.element_id).filter_by(instance_id=visit, state="open")).all()
        logged = {row.kind: row.instance_id for row in session.scalars(select(MessageLog))}
    assert (values["imagingStatus"], values["visitImaging"], list(waiting)) == ("available", ["chest_xray"], ["Task_Review"])
    assert logged == {"dicom.worklist": visit, "dicom.study": visit}
