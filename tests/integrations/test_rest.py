"""REST as hospitals need it: credentials of each kind, TLS on both sides, limits, redirects, and Camunda's expressions on the answer."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from engine import clock
from engine.db import write_lock
from engine.errors import BpmnError, ConnectorFailed
from engine.execution import instances
from engine.execution.connectors import Call, get
from engine.execution.tables import Incident, Instance, Job
from engine.execution.worker import Worker
from engine.models import deploy
from integrations import http
from integrations.connections import book, probe
from integrations.simulators.web import Quiet
from tests.far_ends.tls import Tls
from tests.integrations.conftest import World

Handler = Callable[[Request], Response]


class Rest:
    """A server whose answers a test gives; keeps what arrived."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.answer: Handler = lambda request: told({"path": request.path})
        self.port = 0

    def app(self, environ: dict[str, Any], start: Any) -> Any:
        request = Request(environ)
        request.get_data()
        self.seen.append(request)
        return self.answer(request)(environ, start)


def told(value: Any, status: int = 200, **headers: str) -> Response:
    return Response(
        json.dumps(value), status, headers={name.replace("_", "-"): text for name, text in headers.items()}, content_type="application/json"
    )


@contextmanager
def serving(**options: Any) -> Iterator[Rest]:
    rest = Rest()
    server = make_server("127.0.0.1", 0, rest.app, threaded=True, request_handler=Quiet, **options)
    rest.port = server.server_port
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield rest
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def rest(sessions: sessionmaker[Session]) -> Iterator[Rest]:
    with serving() as made:
        connect(sessions, made)
        yield made


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return Tls(tmp_path_factory.mktemp("tls"))


def connect(sessions: sessionmaker[Session], rest: Rest, secrets: dict[str, str] | None = None, **address: Any) -> None:
    with sessions() as session:
        given = {"url": f"http://127.0.0.1:{rest.port}/api", "timeout": 2, **address}
        book.put(session, "http", "http", address=given, secrets=secrets)
        session.commit()


def call(key: str = "k1", task: dict[str, str] | None = None, **values: Any) -> dict[str, Any]:
    return dict(get("http.request").call(Call("http.request", {"path": "/x", **values}, task or {}, key, "i1", "e")))


# ── what is sent ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_every_method(rest: Rest, method: str) -> None:
    assert call(method=method)["status"] == 200
    assert (rest.seen[0].method, rest.seen[0].path) == (method, "/api/x")


@pytest.mark.parametrize(
    ("media", "body", "sent"),
    [
        ("", {"a": "王"}, '{"a": "王"}'), ("application/x-www-form-urlencoded", {"a": "王", "b": [1, 2]}, "a=%E7%8E%8B&b=1&b=2"),
        ("text/csv", "a,王", "a,王"), ("application/xml", "<a>王</a>", "<a>王</a>"), ("", "text", '"text"'), ("application/fhir+json", {}, "{}"),
    ],
)  # fmt: skip
def test_the_body_goes_as_its_type_says(rest: Rest, media: str, body: Any, sent: str) -> None:
    call(method="POST", body=body, headers={"Content-Type": media} if media else {})
    assert rest.seen[0].get_data(as_text=True) == sent
    assert rest.seen[0].content_type == (media or "application/json")


@pytest.mark.parametrize(
    ("secrets", "header", "value"),
    [
        ({}, "Authorization", None),
        ({"token": "t0p"}, "Authorization", "Bearer t0p"),
        ({"api_key": "k3y"}, "X-Clinic-Key", "k3y"),
        ({"user": "clinic", "password": "密码"}, "Authorization", "Basic " + base64.b64encode("clinic:密码".encode()).decode()),
    ],
)
def test_credentials_of_each_kind(rest: Rest, sessions: sessionmaker[Session], secrets: dict[str, str], header: str, value: str | None) -> None:
    connect(sessions, rest, secrets, api_key_header="X-Clinic-Key")
    call(headers={"Authorization": "of the diagram", "Idempotency-Key": "of the diagram"})
    assert rest.seen[0].headers.get(header) == value
    assert rest.seen[0].headers["Idempotency-Key"] == "k1"


def test_an_access_token_is_fetched_once_kept_and_renewed_when_it_is_refused(rest: Rest, sessions: sessionmaker[Session]) -> None:
    issued: list[dict[str, str]] = []

    def answer(request: Request) -> Response:
        if request.path == "/token":
            issued.append({**request.form, "who": str(request.authorization and request.authorization.username)})
            return told({"access_token": f"t{len(issued)}", "expires_in": 600})
        good = request.headers["Authorization"] == f"Bearer t{len(issued)}" and not (len(issued) == 1 and len(rest.seen) > 3)
        return told({}, 200 if good else 401)

    rest.answer = answer
    address = {"token_url": f"http://127.0.0.1:{rest.port}/token", "client_id": "carelane", "scope": "orders.write"}
    connect(sessions, rest, {"client_secret": "s3cret"}, **address)
    for key in ("k1", "k2"):
        assert call(key)["status"] == 200
    assert issued == [{"grant_type": "client_credentials", "scope": "orders.write", "who": "carelane"}]
    assert call("k3")["status"] == 200, "the token was revoked: it is fetched again and the call repeated"
    assert len(issued) == 2


@pytest.mark.parametrize(("status", "kind"), [(401, "permanent"), (503, "transient")])
def test_a_token_that_cannot_be_had(rest: Rest, sessions: sessionmaker[Session], status: int, kind: str) -> None:
    rest.answer = lambda request: told({}, status)
    connect(sessions, rest, {"client_secret": "s3cret"}, token_url=f"http://127.0.0.1:{rest.port}/token", client_id="carelane")
    with pytest.raises(ConnectorFailed, match="no access token") as failed:
        call()
    assert failed.value.kind == kind


@pytest.mark.parametrize("path", ["../admin", "/a/../../admin", "/%2e%2e/admin", "//evil.example", "http://evil.example", "\\\\evil.example"])
def test_a_path_stays_below_the_address(rest: Rest, path: str) -> None:
    with pytest.raises(ConnectorFailed, match="path: must be below"):
        call(path=path)
    assert rest.seen == []


def test_tls_with_a_certificate_of_our_own(sessions: sessionmaker[Session], tls: Tls) -> None:
    with serving(ssl_context=tls.server(wants_client=True)) as rest:
        certificate, key = (str(path) for path in tls.client_files)
        address = {"url": f"https://localhost:{rest.port}", "ca_file": str(tls.ca_file)}
        connect(sessions, rest, None, **address, client_certificate_file=certificate, client_key_file=key)
        assert call()["status"] == 200
        with sessions() as session:
            tested = probe.test(session, "http")
        assert (tested.good, tested.expires is not None) == (True, True)
        connect(sessions, rest, None, **address)  # without our certificate
        with pytest.raises(ConnectorFailed) as failed:
            call("k2")
        assert failed.value.kind in ("transient", "unknown")
        connect(sessions, rest, None, url=address["url"])  # an authority that nobody trusts
        with pytest.raises(ConnectorFailed, match="cannot be reached"):
            call("k3")
    assert [request.path for request in rest.seen] == ["/x", "/"]


# ── what comes back ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_redirect_on_the_same_host_is_followed(rest: Rest) -> None:
    rest.answer = lambda request: told({}, 302, Location="/api/y") if request.path.endswith("/x") else told({"path": request.path})
    assert call()["body"] == {"path": "/api/y"}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_credentials_do_not_travel_to_another_host(rest: Rest, sessions: sessionmaker[Session], method: str) -> None:
    with serving() as other:
        connect(sessions, rest, {"token": "t0p"})
        rest.answer = lambda request: told({}, 307, Location=f"http://127.0.0.1:{other.port}/steal")
        with pytest.raises(ConnectorFailed, match="same host") as failed:
            call(method=method, body={} if method == "POST" else None)
        assert (failed.value.kind, other.seen) == ("permanent", [])


def test_a_redirect_without_end_is_a_failure(rest: Rest) -> None:
    rest.answer = lambda request: told({}, 302, Location="/api/x")
    with pytest.raises(ConnectorFailed, match="without end"):
        call()


def test_an_answer_that_is_too_long_is_not_read(rest: Rest, sessions: sessionmaker[Session]) -> None:
    connect(sessions, rest, most_bytes=1000)
    rest.answer = lambda request: told("x" * 2000)
    with pytest.raises(ConnectorFailed, match="more than 1000 bytes") as failed:
        call()
    assert failed.value.kind == "permanent"


@pytest.mark.parametrize(
    ("method", "idempotent", "kind"), [("GET", False, "transient"), ("POST", False, "unknown"), ("POST", True, "transient")]
)
def test_a_late_answer_is_sorted_by_whether_it_may_be_asked_again(
    rest: Rest, sessions: sessionmaker[Session], method: str, idempotent: bool, kind: str
) -> None:
    connect(sessions, rest, timeout=0.3, idempotent=idempotent)
    rest.answer = lambda request: time.sleep(0.8) or told({})  # type: ignore[func-returns-value]
    with pytest.raises(ConnectorFailed) as failed:
        call(method=method)
    assert failed.value.kind == kind


def test_a_port_that_nobody_listens_on_is_transient_for_every_method(sessions: sessionmaker[Session]) -> None:
    connect(sessions, Rest(), url="http://127.0.0.1:9")
    with pytest.raises(ConnectorFailed) as failed:
        call(method="POST", body={})
    assert failed.value.kind == "transient"


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert (http.seconds_to_wait("7"), http.seconds_to_wait(None), http.seconds_to_wait("soon")) == (7.0, None, None)
    assert 50 < (http.seconds_to_wait(soon) or 0) <= 60
    assert http.seconds_to_wait("Sun, 06 Nov 1994 08:49:37 GMT") == 0


def test_text_that_is_no_json_comes_as_text(rest: Rest) -> None:
    rest.answer = lambda request: Response("你好".encode("gb18030"), content_type="text/plain; charset=gb18030")
    assert call()["body"] == "你好"


# ── Camunda's expressions in the task's headers ──────────────────────────────────────────────────────────────────────────


def test_the_result_expression_makes_the_variables(rest: Rest) -> None:
    rest.answer = lambda request: told({"patient": {"name": "王小明", "age": 41}})
    task = {"resultExpression": "={name: response.body.patient.name, older: body.patient.age + 1}"}
    assert call(task=task) == {"name": "王小明", "older": 42}


def test_the_result_variable_holds_the_whole_answer(rest: Rest) -> None:
    found = call(task={"resultVariable": "told", "resultExpression": "={status: response.status}"})
    assert (found["told"]["body"], found["status"], set(found)) == ({"path": "/api/x"}, 200, {"told", "status"})


@pytest.mark.parametrize(
    ("expression", "code", "variables"),
    [
        ('=if error.code = "404" then bpmnError("NOT_FOUND", "no such patient") else null', "NOT_FOUND", {}),
        (
            'if error.code = "404" then bpmnError("NOT_FOUND", "no", {body: error.variables.response.body}) else null',
            "NOT_FOUND",
            {"body": {"why": "x"}},
        ),
        ('=bpmnError("ANY")', "ANY", {}),
    ],
)
def test_the_error_expression_turns_a_failure_into_a_business_error(rest: Rest, expression: str, code: str, variables: dict[str, Any]) -> None:
    rest.answer = lambda request: told({"why": "x"}, 404)
    with pytest.raises(BpmnError) as refused:
        call(task={"errorExpression": expression})
    assert (refused.value.code, refused.value.variables) == (code, variables)


def test_the_error_expression_sees_a_good_answer_too(rest: Rest) -> None:
    rest.answer = lambda request: told({"result": "refused"})
    task = {"errorExpression": '=if response.body.result = "refused" then bpmnError("REFUSED", "no") else null'}
    with pytest.raises(BpmnError) as refused:
        call(task=task)
    assert refused.value.code == "REFUSED"


def test_the_error_expression_may_ignore_or_end_a_failure_and_is_silent_otherwise(rest: Rest) -> None:
    rest.answer = lambda request: told({}, 500)
    assert call(task={"errorExpression": '=if error.code = "500" then ignoreError({known: false}) else null'}) == {"known": False}
    with pytest.raises(ConnectorFailed, match="give up") as failed:
        call("k2", task={"errorExpression": '=jobError("give up")'})
    assert failed.value.kind == "permanent"
    with pytest.raises(ConnectorFailed, match="500") as failed:
        call("k3", task={"errorExpression": '=if error.code = "404" then bpmnError("N", "n") else null'})
    assert failed.value.kind == "transient"


@pytest.mark.parametrize("task", [{"resultExpression": "={a: ("}, {"resultExpression": "=1"}, {"errorExpression": "=if then"}])
def test_a_wrong_expression_is_named(rest: Rest, task: dict[str, str]) -> None:
    with pytest.raises(ConnectorFailed, match="Expression") as failed:
        call(task=task)
    assert failed.value.kind == "permanent"


# ── under the worker ─────────────────────────────────────────────────────────────────────────────────────────────────────

DIAGRAM = b"""<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0"
 targetNamespace="t"><bpmn:process id="rest" isExecutable="true"><bpmn:startEvent id="S"/>
 <bpmn:serviceTask id="Ask"><bpmn:extensionElements><zeebe:taskDefinition type="http.request" retries="3"/>
 <zeebe:ioMapping><zeebe:input source="/x" target="path"/></zeebe:ioMapping>
 <zeebe:taskHeaders><zeebe:header key="resultExpression" value="={greeting: response.body.word}"/></zeebe:taskHeaders>
 </bpmn:extensionElements></bpmn:serviceTask><bpmn:endEvent id="E"/>
 <bpmn:sequenceFlow id="F1" sourceRef="S" targetRef="Ask"/><bpmn:sequenceFlow id="F2" sourceRef="Ask" targetRef="E"/>
 </bpmn:process></bpmn:definitions>"""


def test_the_worker_waits_as_long_as_the_far_end_asks(world: World) -> None:
    with serving() as rest:
        connect(world.sessions, rest)
        rest.answer = lambda request: told({"word": "你好"}) if len(rest.seen) > 1 else told({}, 429, Retry_After="120")
        with world.sessions() as session:
            write_lock(session)
            deploy.deploy(session, {"rest.bpmn": DIAGRAM}, by="test")
            started = instances.start(session, "rest").id
            session.commit()
        worker = Worker(world.sessions, world.settings)
        before = clock.now()
        while worker.run_once():
            pass
        with world.sessions() as session:
            (job,) = session.query(Job).filter_by(kind="call")
            assert timedelta(seconds=119) < job.due - before < timedelta(seconds=130)
            assert session.query(Incident).count() == 0
        with clock.at(clock.now() + timedelta(seconds=130)):
            while worker.run_once():
                pass
        with world.sessions() as session:
            assert (session.get_one(Instance, started).state, instances.variables(session, started)) == ("completed", {"greeting": "你好"})
