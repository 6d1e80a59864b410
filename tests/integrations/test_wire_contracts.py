"""The same contract as in test_connector_contracts.py, for the connectors without a simulator: small far ends that speak each wire."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from engine.errors import BpmnError, ConnectorFailed
from integrations.connections import book, circuit
from integrations.connectors import sql_query
from integrations.messages import search
from integrations.messages.tables import MessageLog
from tests.far_ends import wires
from tests.far_ends.wires import CARD, NAME, PATIENT, PERSON, PHONE, Far, Mood
from tests.integrations.conftest import World

TIMEOUT = 0.4
PATIENT_1 = {**PATIENT, "id": "p1"}


@dataclass(frozen=True)
class Wire:
    """How a connector is run against a far end of its own. `deaf`, `lost`: the failure's kind when nothing is answered, and when the answer
    to something done is lost.
    """

    connection: str
    kind: str
    given: dict[str, Any]
    far: Callable[[], AbstractContextManager[Far]] | None = wires.http
    deaf: str = "transient"
    lost: str = "transient"
    address: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    reads: bool = False  # asking changes nothing


MLLP = {"far": wires.mllp, "deaf": "unknown", "lost": "unknown"}
DICOM = {"far": wires.dicom, "address": {"ae_title": "FAR"}, "reads": True}
FHIR = {"connection": "fhir", "kind": "fhir", "address": {"path": "/fhir"}}
WIRES = {
    "http.request": Wire("http", "http", {"path": "/book", "method": "POST", "body": PERSON, "query": PERSON}, deaf="unknown", lost="unknown"),
    "fhir.create": Wire(**FHIR, given={"resource": PATIENT}),
    "fhir.update": Wire(**FHIR, given={"resource": PATIENT_1}),
    "fhir.search": Wire(**FHIR, given={"resourceType": "Patient", "query": {"identifier": CARD, "name": NAME}}, reads=True),
    "fhir.transaction": Wire(**FHIR, given={"entries": [{"resource": PATIENT}, {"resource": PATIENT}]}),
    "fhir.referral_answer": Wire("partner", "fhir", {"referralId": "REF-1", "taskId": "t1", "text": f"{NAME} {CARD}"}),
    "dicomweb.search": Wire("dicomweb", "dicomweb", {"accession": "ACC1"}, reads=True),
    "dicom.find": Wire("pacs", "dicom", {"accession": "ACC1"}, **DICOM),
    "dicom.echo": Wire("pacs", "dicom", {}, **DICOM),
    "hl7.ref_i12": Wire("referral_hl7", "mllp", {"patientId": "?", "referralId": "REF-2", "reason": f"{NAME} {CARD}"}, **MLLP),
    "hl7.rri_i12": Wire("referral_hl7", "mllp", {"patientId": "?", "referralId": "REF-3", "decision": "A", "text": f"{NAME} {CARD}"}, **MLLP),
    "hl7.adt_a40": Wire("his", "mllp", {"patientId": "?", "mergedPatientId": "??"}, **MLLP),
    "amqp.publish": Wire("broker", "amqp", {"routingKey": "orders", "body": PERSON}, far=wires.amqp, lost="unknown"),
    "mail.send": Wire(
        "mail", "smtp", {"to": f"{PHONE}@clinic.example", "subject": NAME, "text": f"{NAME} {CARD}"}, far=wires.smtp, lost="unknown",
        address={"sender": "clinic@clinic.example"},
    ),
    "sql.query": Wire("legacy", "sql", {"query": "SELECT 1"}, far=wires.postgres, reads=True),
    "file.write": Wire(
        "files", "sftp", {"name": "orders.csv", "rows": [PERSON]}, far=None, secrets={"user": "u", "password": "p", "host_key": "SHA256:x"},
    ),
}  # fmt: skip
SPOKEN = [type_ for type_, wire in WIRES.items() if wire.far]
ANSWERED = [type_ for type_ in SPOKEN if type_ != "sql.query"]  # the database of these tests goes no further than its door
ROWS = ["sql.query", "file.write", "dicom.worklist"]  # whose log is looked at without a wire
DOING = [type_ for type_ in ANSWERED if not WIRES[type_].reads]


@pytest.fixture(autouse=True)
def _no_database_is_kept() -> Iterator[None]:
    yield
    sql_query.close_engines()


@pytest.fixture
def far(request: pytest.FixtureRequest) -> Iterator[Far]:
    """The far end of the connector that the test is about."""
    opened = WIRES[request.getfixturevalue("type_")].far
    assert opened is not None
    with opened() as made:
        yield made


def lead(world: World, type_: str, port: int, **more: Any) -> None:
    """Makes the connector's connection lead to that port."""
    wire = WIRES[type_]
    address = {"host": "127.0.0.1", "port": port, "url": f"http://127.0.0.1:{port}", "timeout": TIMEOUT, **wire.address, **more}
    secrets = {**wire.secrets, "url": f"postgresql+psycopg://u:p@127.0.0.1:{port}/old"} if wire.kind == "sql" else wire.secrets
    with world.sessions() as session:
        book.put(session, wire.connection, wire.kind, address=address, secrets=secrets)
        session.commit()
    book.forget()
    circuit.reset()


def go(world: World, type_: str, key: str = "i1:t1:1") -> dict[str, Any]:
    given = {**WIRES[type_].given}
    if given.get("patientId") == "?":
        given["patientId"] = world.patient_id
    if given.get("mergedPatientId") == "??":
        other = {"name": NAME, "sex": "male", "birthDate": "1990-01-01"}
        given["mergedPatientId"] = world.call("patient.save", "other", **other)["patientId"]
    return world.call(type_, key, **given)


def failure(world: World, type_: str) -> tuple[str, float]:
    """The kind of the failure ("refused" for one that the process may catch), and the seconds it took; nobody is named in it."""
    started = time.monotonic()
    with pytest.raises((ConnectorFailed, BpmnError)) as failed:
        go(world, type_)
    said = f"{failed.value.message}{failed.value.args}"
    assert not any(value in said for value in (NAME, CARD, PHONE))
    return getattr(failed.value, "kind", "refused"), time.monotonic() - started


@pytest.mark.parametrize("type_", WIRES)
def test_a_far_end_that_never_says_a_word_is_given_up_in_time(world: World, type_: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        lead(world, type_, deaf.getsockname()[1])
        kind, seconds = failure(world, type_)
    assert kind == WIRES[type_].deaf
    assert seconds < TIMEOUT * 3 + 2


@pytest.mark.parametrize("type_", WIRES)
def test_a_port_that_nobody_listens_on_is_transient(world: World, type_: str) -> None:
    lead(world, type_, 9)
    assert failure(world, type_)[0] == "transient"


@pytest.mark.parametrize(("mood", "kinds"), [("busy", ["transient"]), ("refuse", ["permanent", "refused"])])
@pytest.mark.parametrize("type_", SPOKEN)
def test_what_may_pass_is_tried_again_and_what_will_not_is_not(world: World, far: Far, type_: str, mood: Mood, kinds: list[str]) -> None:
    if (type_, mood) == ("dicom.echo", "refuse"):
        kinds = ["transient"]  # whatever an archive says to an echo says nothing about tomorrow
    far.mood = mood
    lead(world, type_, far.port)
    assert failure(world, type_)[0] in kinds
    assert far.effects == {}


@pytest.mark.parametrize("type_", ANSWERED)
def test_an_answer_that_is_lost_is_sorted_by_whether_it_may_be_asked_for_again(world: World, far: Far, type_: str) -> None:
    if type_ == "dicom.echo":
        pytest.skip("its answer is all there is to it: lost is the same as never said")
    far.mood = "lost"
    lead(world, type_, far.port)
    kind, seconds = failure(world, type_)
    assert kind == WIRES[type_].lost
    assert seconds < TIMEOUT * 3 + 2
    lead(world, type_, far.port, idempotent=True)
    assert failure(world, type_)[0] == "transient"
    assert len(far.effects) == 1


@pytest.mark.parametrize("type_", DOING)
def test_the_same_key_twice_has_one_effect_and_one_answer(world: World, far: Far, type_: str) -> None:
    lead(world, type_, far.port)
    first = go(world, type_)
    assert go(world, type_) == first
    assert list(far.effects.values()) == [1]
    with world.sessions() as session:  # even when our own log forgot that it was answered
        session.execute(delete(MessageLog))
        session.commit()
    assert go(world, type_) == first
    assert len(far.effects) == 1


@pytest.mark.parametrize("type_", ANSWERED)
def test_the_log_shows_no_person_where_it_is_masked(world: World, far: Far, type_: str) -> None:
    lead(world, type_, far.port)
    go(world, type_)
    _masked(world)


@pytest.mark.parametrize("type_", ROWS)
def test_rows_are_masked_whatever_their_columns_are_called(world: World, tmp_path: Path, type_: str) -> None:
    """Old databases and files have names of their own for what is personal."""
    row = {"xm": NAME, "sfzh": CARD, "dh": PHONE}
    given: dict[str, dict[str, Any]] = {
        "sql.query": {"query": "SELECT :xm AS xm, :sfzh AS sfzh, :dh AS dh", "parameters": row},
        "file.write": {"name": "a.csv", "rows": [row]},
        "dicom.worklist": {
            "patientId": world.patient_id, "visitNumber": "V1", "orderId": "O1", "procedure": {"code": "CXR", "name": "胸片", "modality": "DX"},
        },
    }  # fmt: skip
    with world.sessions() as session:
        book.put(session, "legacy", "sql", address={"timeout": 5}, secrets={"url": f"sqlite:///{tmp_path}/old.db"})
        book.put(session, "files", "folder", address={"folder": str(tmp_path)})
        book.put(session, "worklist", "dicom_folder", address={"folder": str(tmp_path)})
        session.commit()
    found = world.call(type_, **given[type_])
    assert type_ != "sql.query" or found["rows"] == [row]
    _masked(world)


def _masked(world: World) -> None:
    with world.sessions() as session:
        rows = session.scalars(select(MessageLog).where(MessageLog.direction == "out")).all()
        assert rows
        for row in rows:
            shown = json.dumps(search.stages(row, masked=True), ensure_ascii=False) + (row.error or "")
            assert not [value for value in (NAME, CARD, PHONE, PERSON_SAVED) if value in shown], shown


PERSON_SAVED = "王小明"  # the patient of `world`
