"""SOAP against a service of somebody else's making (spyne): typed faults, credentials, and nothing loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from lxml import etree
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from engine.errors import BpmnError, ConnectorFailed
from engine.execution.connectors import Call, get
from integrations.connections import book, probe
from integrations.messages.tables import MessageLog

pytest.importorskip("spyne", reason="spyne, the SOAP server of these tests, does not load on this Python", exc_type=ImportError)
from tests.far_ends import soap_server
from tests.far_ends.soap_server import Seen

LINES = [{"code": "1", "amount": "12.50"}, {"code": "诊察费", "amount": "7.5"}]


@pytest.fixture
def his(sessions: sessionmaker[Session]) -> Iterator[Seen]:
    with soap_server.running() as seen:
        connect(sessions, seen)
        yield seen


def connect(sessions: sessionmaker[Session], seen: Seen, secrets: dict[str, str] | None = None, **address: Any) -> None:
    given = {"url": seen.url, "wsdl": f"{seen.url}?wsdl", "timeout": 2, **address}
    with sessions() as session:
        book.put(session, "soap", "soap", address=given, secrets=secrets)
        session.commit()


def call(operation: str = "book", key: str = "k1", faults: dict[str, str] | None = None, **arguments: Any) -> Any:
    values = {"operation": operation, "arguments": arguments, "faults": faults or {}}
    return get("soap.call").call(Call("soap.call", values, {}, key, "i1", "e1"))["result"]


def test_an_operation_is_called_with_its_types(his: Seen) -> None:
    assert call(patient="王小明", lines=LINES) == {"number": "R1", "total": 20, "patient": "王小明"}
    assert "王小明".encode() in his.bodies[0]
    assert his.headers[0]["Idempotency-Key"] == "k1"


def test_the_same_key_is_called_once(his: Seen) -> None:
    assert call(patient="p", lines=LINES) == call(patient="p", lines=LINES)
    assert his.booked == ["p"]


@pytest.mark.parametrize("name", ["UnknownPatient", "Client.UnknownPatient"])
def test_a_typed_fault_becomes_the_error_that_the_process_names(his: Seen, name: str) -> None:
    with pytest.raises(BpmnError) as refused:
        call(patient="nobody", lines=LINES, faults={name: "NO_PATIENT"})
    assert refused.value.code == "NO_PATIENT"
    assert refused.value.variables["reason"] == "no patient nobody"


@pytest.mark.parametrize(
    ("patient", "idempotent", "kind"), [("nobody", False, "permanent"), ("broken", False, "unknown"), ("broken", True, "transient")]
)
def test_other_faults_are_sorted(his: Seen, sessions: sessionmaker[Session], patient: str, idempotent: bool, kind: str) -> None:
    connect(sessions, his, idempotent=idempotent)
    with pytest.raises(ConnectorFailed) as failed:
        call(patient=patient, lines=LINES)
    assert failed.value.kind == kind
    assert patient not in failed.value.message


@pytest.mark.parametrize(
    ("operation", "arguments", "said"),
    [("nothing", {}, "operation"), ("book", {"lines": LINES}, "patient"), ("book", {"patient": "p", "colour": "red"}, "colour")],
)
def test_what_does_not_fit_the_wsdl_is_named_and_not_sent(his: Seen, operation: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConnectorFailed, match=said) as failed:
        call(operation, **arguments)
    assert (failed.value.kind, his.bodies) == ("permanent", [])


@pytest.mark.parametrize(("idempotent", "kind"), [(False, "unknown"), (True, "transient")])
def test_a_late_answer_is_lost(his: Seen, sessions: sessionmaker[Session], idempotent: bool, kind: str) -> None:
    connect(sessions, his, timeout=2, idempotent=idempotent)
    with pytest.raises(ConnectorFailed) as failed:
        call("slow", seconds=4)
    assert failed.value.kind == kind


def test_a_service_that_is_off_is_transient(his: Seen, sessions: sessionmaker[Session]) -> None:
    call(patient="p", lines=LINES)
    connect(sessions, his, url="http://127.0.0.1:9/his")
    with pytest.raises(ConnectorFailed) as failed:
        call(key="k2", patient="p", lines=LINES)
    assert failed.value.kind == "transient"


def test_basic_credentials_are_sent_for_the_wsdl_and_for_the_call(his: Seen, sessions: sessionmaker[Session]) -> None:
    his.user = ("clinic", "s3cret")
    connect(sessions, his, {"user": "clinic", "password": "s3cret"})
    assert call(patient="p", lines=LINES)["number"] == "R1"
    connect(sessions, his, {"password": "wrong"})
    with pytest.raises(ConnectorFailed, match="401") as failed:
        call(key="k2", patient="p", lines=LINES)
    assert failed.value.kind == "permanent"


@pytest.mark.parametrize("security", ["text", "digest"])
def test_a_username_token_is_in_the_header(his: Seen, sessions: sessionmaker[Session], security: str) -> None:
    connect(sessions, his, {"ws_user": "clinic", "ws_password": "s3cret"}, security=security, security_timestamp=True, addressing=True)
    call(patient="p", lines=LINES)
    body = etree.fromstring(his.bodies[0])
    said = {etree.QName(item).localname: item for item in body.iter() if isinstance(item.tag, str)}
    assert said["Username"].text == "clinic"
    assert (said["Password"].text == "s3cret") is (security == "text")
    assert said["Password"].get("Type").endswith("PasswordDigest" if security == "digest" else "PasswordText")
    assert {"Created", "Expires", "MessageID"} <= set(said)


def test_the_message_id_is_the_same_for_every_try(his: Seen, sessions: sessionmaker[Session]) -> None:
    connect(sessions, his, addressing=True, idempotent=True)
    for _ in range(2):
        with pytest.raises(ConnectorFailed):
            call(patient="broken", lines=LINES)
    first, second = (etree.fromstring(body).findtext(".//{http://www.w3.org/2005/08/addressing}MessageID") for body in his.bodies)
    assert first == second is not None


BOMB = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
ENVELOPE = b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><r>&a;</r></s:Body></s:Envelope>'


def test_an_answer_with_entities_is_not_read(his: Seen) -> None:
    his.answer = BOMB + ENVELOPE
    with pytest.raises(ConnectorFailed, match="cannot be read"):
        call(patient="p", lines=LINES)


def test_a_wsdl_with_entities_is_not_read(his: Seen) -> None:
    his.wsdl = BOMB + b"<a>&a;</a>"
    with pytest.raises(ConnectorFailed, match="WSDL") as failed:
        call(patient="p", lines=LINES)
    assert failed.value.kind == "permanent"


@pytest.mark.parametrize("place", ["http://evil.example/x.xsd", "file:///etc/passwd", "https://127.0.0.1:1/x.xsd"])
def test_a_wsdl_cannot_make_us_load_from_elsewhere(his: Seen, place: str) -> None:
    plain = httpx.get(f"{his.url}?wsdl", trust_env=False).text
    opening, _, rest = plain.partition("<xs:schema")
    head, _, tail = rest.partition(">")
    his.wsdl = f'{opening}<xs:schema{head}><xs:import namespace="urn:x" schemaLocation="{place}"/>{tail}'.encode()
    with pytest.raises(ConnectorFailed, match="another place") as failed:
        call(patient="p", lines=LINES)
    assert failed.value.kind == "permanent"


def test_the_call_goes_where_the_connection_says_not_where_the_wsdl_says(his: Seen, sessions: sessionmaker[Session], tmp_path: Path) -> None:
    plain = httpx.get(f"{his.url}?wsdl", trust_env=False).text.replace(his.url, "http://evil.example/his")
    assert "evil.example" in plain
    (tmp_path / "his.wsdl").write_text(plain)
    connect(sessions, his, wsdl=str(tmp_path / "his.wsdl"))
    assert call(patient="p", lines=LINES)["number"] == "R1"


def test_the_connection_is_tested_without_calling(his: Seen, sessions: sessionmaker[Session]) -> None:
    with sessions() as session:
        tested = probe.test(session, "soap")
    assert (tested.good, tested.message, his.bodies) == (True, "It offers 2 operations: book, slow", [])


def test_arguments_are_masked_in_the_log_and_encrypted_on_disk(his: Seen, sessions: sessionmaker[Session]) -> None:
    from integrations.messages import search

    call(patient="王小明", lines=LINES)
    with sessions() as session:
        row = session.scalars(select(MessageLog)).one()
        assert "王小明" not in str(search.stages(row, masked=True))
        assert "王小明" in str(search.stages(row, masked=False))
