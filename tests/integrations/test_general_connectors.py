"""Mail, SQL and REST: real servers in this process, injection refused, refusals told from failures."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from engine.errors import BpmnError, ConnectorFailed
from engine.execution.connectors import Call, get
from integrations.connections import book, probe
from integrations.connectors import sql_query
from integrations.messages import search
from integrations.simulators.desk import Faults
from integrations.simulators.web import Quiet
from tests.far_ends.tls import Tls
from tests.integrations.conftest import World
from tests.machines import free_port


def call(type_: str, key: str = "k1", **values: Any) -> dict[str, Any]:
    return dict(get(type_).call(Call(type=type_, input=values, headers={}, key=key, instance_id="i1", element_id="e")))


def connect(sessions: sessionmaker[Session], name: str, kind: str, address: dict[str, Any], secrets: dict[str, str] | None = None) -> None:
    with sessions() as session:
        book.put(session, name, kind, address=address, secrets=secrets)
        session.commit()


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return Tls(tmp_path_factory.mktemp("tls"))


# ── mail ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Sink:
    """Takes mails, refuses some addresses."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.secured: list[bool] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        answers = {"nobody@": "550 no such user", "full@": "452 mailbox full"}
        for start, answer in answers.items():
            if address.startswith(start):
                return answer
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if b"SPAM" in envelope.content:
            return "554 we do not want this"
        self.mails.append(envelope.content)
        self.secured.append(session.ssl is not None)
        return "250 ok"


def sign_in(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
    from aiosmtpd.smtp import AuthResult

    return AuthResult(success=(data.login, data.password) == (b"clinic", b"s3cret"), handled=False)


@contextmanager
def smtp(
    sessions: sessionmaker[Session], secrets: dict[str, str] | None = None, address: dict[str, Any] | None = None, **options: Any
) -> Iterator[Sink]:
    sink = Sink()
    controller = Controller(sink, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    where = {"host": "127.0.0.1", "port": controller.port, "sender": "clinic@example.org", "timeout": 3, **(address or {})}
    connect(sessions, "mail", "smtp", where, secrets)
    try:
        yield sink
    finally:
        controller.stop()


@pytest.fixture
def mails(sessions: sessionmaker[Session]) -> Iterator[list[bytes]]:
    with smtp(sessions) as sink:
        yield sink.mails


def test_a_mail_with_chinese_text_arrives_once(mails: list[bytes]) -> None:
    import email
    from email import policy

    first = call("mail.send", to="patient@example.org", subject="复诊提醒", text="请于周一复诊。")
    assert call("mail.send", to="patient@example.org", subject="复诊提醒", text="请于周一复诊。") == first
    (raw,) = mails
    mail = email.message_from_bytes(raw, policy=policy.default)
    assert (mail["Subject"], mail.get_content().strip(), mail["Message-ID"]) == ("复诊提醒", "请于周一复诊。", first["messageId"])


def test_an_address_that_is_refused_is_a_business_error(mails: list[bytes]) -> None:
    with pytest.raises(BpmnError) as refused:
        call("mail.send", to="nobody@example.org", subject="a", text="b")
    assert refused.value.code == "FAR_END_REFUSED"
    assert "nobody" not in refused.value.message


def test_no_header_is_smuggled_in(mails: list[bytes]) -> None:
    with pytest.raises(ConnectorFailed) as failed:
        call("mail.send", to="a@example.org", subject="x\r\nBcc: evil@example.org", text="b")
    assert failed.value.kind == "permanent"
    assert mails == []


def test_a_mail_server_that_is_off_is_transient(sessions: sessionmaker[Session]) -> None:
    connect(sessions, "mail", "smtp", {"host": "127.0.0.1", "port": 1, "sender": "a@example.org"})
    with pytest.raises(ConnectorFailed) as failed:
        call("mail.send", to="a@example.org", subject="a", text="b")
    assert failed.value.kind == "transient"


@pytest.mark.parametrize(("to", "text", "kind"), [("full@example.org", "a", "transient"), ("a@example.org", "SPAM", "permanent")])
def test_a_full_mailbox_may_be_tried_again_and_unwanted_content_may_not(mails: list[bytes], to: str, text: str, kind: str) -> None:
    with pytest.raises(ConnectorFailed) as failed:
        call("mail.send", to=to, subject="a", text=text)
    assert failed.value.kind == kind


def test_a_mail_goes_over_starttls_with_a_user(sessions: sessionmaker[Session], tls: Tls) -> None:
    signed = {"user": "clinic", "password": "s3cret", "ca_certificate": tls.authority}
    options = {"tls_context": tls.server(), "require_starttls": True, "auth_required": True, "authenticator": sign_in}
    with smtp(sessions, signed, {"tls": True, "host": "localhost"}, **options) as sink:
        call("mail.send", to="patient@example.org", subject="复诊", text="请复诊。")
        with sessions() as session:
            tested = probe.test(session, "mail")
        assert (tested.good, tested.expires is not None, sink.secured) == (True, True, [True])
        connect(sessions, "mail", "smtp", address_of(sessions, "mail"), {**signed, "password": "wrong"})
        with pytest.raises(ConnectorFailed, match="535") as failed:
            call("mail.send", "k2", to="patient@example.org", subject="a", text="b")
    assert failed.value.kind == "permanent"


def test_a_mail_server_with_a_foreign_certificate_hears_nothing(sessions: sessionmaker[Session], tls: Tls) -> None:
    address = {"tls": True, "host": "localhost"}
    with smtp(sessions, None, address, tls_context=tls.server()) as sink, pytest.raises(ConnectorFailed, match="not to be trusted") as failed:
        call("mail.send", to="patient@example.org", subject="a", text="b")
    assert (failed.value.kind, sink.mails) == ("permanent", [])


def test_a_server_without_starttls_is_named(sessions: sessionmaker[Session]) -> None:
    with smtp(sessions, None, {"tls": True}) as sink, pytest.raises(ConnectorFailed, match="no STARTTLS"):
        call("mail.send", to="patient@example.org", subject="a", text="b")
    assert sink.mails == []


def address_of(sessions: sessionmaker[Session], name: str) -> dict[str, Any]:
    with sessions() as session:
        return dict(book.get(session, name).address)


# ── SQL ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def legacy(sessions: sessionmaker[Session], tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'legacy.db'}"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("create table patients (id integer, name text)")
        connection.exec_driver_sql("insert into patients values (1, '王小明'), (2, '李四'), (3, 'x'' or 1=1')")
    engine.dispose()
    connect(sessions, "legacy", "sql", {}, {"url": url})
    return url


def test_rows_come_as_objects_and_values_stay_values(legacy: str) -> None:
    assert call("sql.query", query="select * from patients where id = :id", parameters={"id": 2}) == {
        "rows": [{"id": 2, "name": "李四"}],
        "more": False,
    }
    assert call("sql.query", "k2", query="select id from patients where name = :n", parameters={"n": "x' or 1=1"})["rows"] == [{"id": 3}]


def test_there_may_be_more_rows_than_asked_for(legacy: str) -> None:
    found = call("sql.query", query="select id from patients order by id", most=2)
    assert (found["rows"], found["more"]) == ([{"id": 1}, {"id": 2}], True)


@pytest.mark.parametrize(
    "query",
    [
        "delete from patients",
        "select 1; drop table patients",
        "update patients set id=1",
        "with x as (select 1) delete from patients",
        "selectx",
    ],
)
def test_nothing_but_reading(legacy: str, query: str) -> None:
    with pytest.raises(ConnectorFailed) as failed:
        call("sql.query", query=query)
    assert failed.value.kind in ("permanent", "transient")
    assert len(call("sql.query", "k2", query="select * from patients")["rows"]) == 3


def test_a_semicolon_in_a_text_is_no_second_statement(legacy: str) -> None:
    assert call("sql.query", query="select id from patients where name <> 'a;b' order by id;")["rows"][0] == {"id": 1}


def test_writing_is_refused_by_the_database_itself(legacy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if the look at the statement let it through."""
    monkeypatch.setattr("integrations.connectors.sql_query.re.match", lambda *_: True)
    for statement in ("delete from patients", "create table t (a)", "insert into patients values (9, 'x')"):
        with pytest.raises(ConnectorFailed) as failed:
            call("sql.query", statement, query=statement)
        assert failed.value.kind == "permanent"


def test_a_query_that_takes_too_long_is_stopped(sessions: sessionmaker[Session], legacy: str) -> None:
    connect(sessions, "legacy", "sql", {"timeout": 0.3})
    endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n"
    started = time.monotonic()
    with pytest.raises(ConnectorFailed, match=r"longer than 0\.3 s") as failed:
        call("sql.query", query=endless)
    assert (failed.value.kind, time.monotonic() - started < 5) == ("transient", True)


def test_an_old_encoding_is_read_where_the_connection_says_so(sessions: sessionmaker[Session], legacy: str) -> None:
    engine = create_engine(legacy)
    with engine.begin() as connection:
        connection.exec_driver_sql("create table old (name text, raw blob)")
        connection.exec_driver_sql("insert into old values (cast(? as text), ?)", ("王小明".encode("gb18030"), "李四 ".encode("gb18030")))
    engine.dispose()
    with pytest.raises(ConnectorFailed):
        call("sql.query", query="select name from old")
    connect(sessions, "legacy", "sql", {"encoding": "gb18030"})
    assert call("sql.query", "k2", query="select * from old")["rows"] == [{"name": "王小明", "raw": "李四"}]


def test_rows_are_limited_whatever_is_asked(legacy: str) -> None:
    many = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000) select i from n"
    found = call("sql.query", query=many, most=100_000)
    assert (len(found["rows"]), found["more"]) == (1000, True)


def test_postgresql_refuses_writes_whatever_the_statement_calls_and_stops_late_queries(
    sessions: sessionmaker[Session], postgres_url: str
) -> None:
    connect(sessions, "legacy", "sql", {"timeout": 1}, {"url": postgres_url})
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("create table patients (id integer, name text)")
        connection.exec_driver_sql("insert into patients values (1, '王小明')")
        connection.exec_driver_sql("create function wipe() returns integer language sql as 'delete from patients returning id'")
    assert call("sql.query", "k0", query="select name from patients where id = :id", parameters={"id": 1})["rows"] == [{"name": "王小明"}]
    statements = (
        "select wipe()", "with gone as (delete from patients returning id) select * from gone", "select * into copy from patients",
        "select set_config('transaction_read_only', 'off', true), wipe()",
    )  # fmt: skip
    for statement in statements:
        with pytest.raises(ConnectorFailed) as failed:
            call("sql.query", statement[:40], query=statement)
        assert failed.value.kind == "permanent"
    with pytest.raises(ConnectorFailed, match="longer than 1 s") as failed:
        call("sql.query", "late", query="select pg_sleep(5)")
    assert failed.value.kind == "transient"
    with engine.connect() as connection:
        assert connection.exec_driver_sql("select count(*) from patients").scalar() == 1
    engine.dispose()
    sql_query.close_engines()


def test_a_failure_names_neither_the_password_nor_the_values(sessions: sessionmaker[Session], legacy: str) -> None:
    with pytest.raises(ConnectorFailed) as failed:
        call("sql.query", query="select * from nowhere where x = :x", parameters={"x": "王小明"})
    assert not any(word in failed.value.message for word in ("王小明", "legacy.db"))


# ── REST ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def rest(sessions: sessionmaker[Session]) -> Iterator[list[Request]]:
    seen: list[Request] = []

    def app(environ: dict[str, Any], start: Any) -> Any:
        request = Request(environ)
        request.get_data()
        seen.append(request)
        status = int(request.path.strip("/") or 200)
        return Response(json.dumps({"n": len(seen)}), status, content_type="application/json")(environ, start)

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    connect(sessions, "http", "http", {"url": f"http://127.0.0.1:{server.server_port}", "timeout": 2}, {"token": "t0p"})
    yield seen
    server.shutdown()
    server.server_close()


def test_a_call_carries_key_credentials_and_body(rest: list[Request]) -> None:
    found = call("http.request", method="POST", path="/200", body={"a": "王"}, query={"q": "1"})
    assert (found["status"], found["body"], found["headers"]["content-type"]) == (200, {"n": 1}, "application/json")
    (request,) = rest
    assert (request.headers["Idempotency-Key"], request.headers["Authorization"]) == ("k1", "Bearer t0p")
    assert (json.loads(request.get_data()), request.args["q"]) == ({"a": "王"}, "1")


@pytest.mark.parametrize(
    ("method", "status", "kind"),
    [
        ("GET", 500, "transient"),
        ("POST", 500, "unknown"),
        ("POST", 503, "transient"),
        ("POST", 429, "transient"),
        ("GET", 404, "permanent"),
        ("POST", 400, "permanent"),
    ],
)
def test_statuses_are_sorted(rest: list[Request], method: str, status: int, kind: str) -> None:
    with pytest.raises(ConnectorFailed) as failed:
        call("http.request", method=method, path=f"/{status}", body={} if method == "POST" else None)
    assert failed.value.kind == kind


def test_a_status_named_as_a_refusal_is_a_business_error(rest: list[Request]) -> None:
    with pytest.raises(BpmnError) as refused:
        call("http.request", method="POST", path="/409", body={}, refusedStatuses=[409])
    assert (refused.value.code, refused.value.variables["body"]) == ("FAR_END_REFUSED", {"n": 1})


@pytest.mark.parametrize("path", ["http://evil.example/x", "//evil.example/x"])
def test_a_diagram_cannot_choose_another_address(rest: list[Request], path: str) -> None:
    with pytest.raises(ConnectorFailed, match="path: must be below"):
        call("http.request", path=path)
    assert rest == []


# ── the log ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_log_is_searched_by_patient_order_and_control_id_and_shown_masked(world: World) -> None:
    tests = [{"code": "718-7", "name": "HGB"}]
    world.call("hl7.oml_o21", patientId=world.patient_id, visitNumber="V1", orderId="ORDER-1", tests=tests)
    with world.sessions() as session:
        (row,) = search.find(session, patient_id=world.patient_id)
        assert search.find(session, text="ORDER-1") == search.find(session, text=row.control) == search.find(session, connection="lis") == [row]
        assert search.find(session, text="ORDER-2") == search.find(session, state="failed") == search.find(session, after=row.id) == []
        assert "王" in search.stages(row, masked=False)["sent"]
        masked = search.stages(row, masked=True)
    assert not any("王" in str(stage) or "小明" in str(stage) for stage in masked.values())
    assert "ORDER-1" in masked["sent"]


def test_figures_of_a_connection(world: World) -> None:
    world.call("hl7.adt_a04", patientId=world.patient_id, visitNumber="V1", department="ent")
    world.desk.faults["his"] = Faults(error=1.0)
    with pytest.raises(ConnectorFailed):
        world.call("hl7.adt_a04", "k2", patientId=world.patient_id, visitNumber="V2", department="ent")
    with world.sessions() as session:
        found = {row.name: row for row in search.figures(session)}
        assert search.still_failing(session) == []
        assert search.still_failing(session, minutes=0) == ["his"]
    assert (found["his"].messages, found["his"].failures, found["his"].error_rate, found["his"].circuit) == (2, 1, 0.5, "closed")
    assert found["his"].p95 is not None
    assert found["lis"].messages == 0
