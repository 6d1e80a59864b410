"""Publishing to a real RabbitMQ: confirmed, persistent, routed somewhere, and recognisable when it comes twice."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pika
import pytest
from sqlalchemy import delete
from sqlalchemy.orm import Session, sessionmaker

from engine.errors import ConnectorFailed
from engine.execution.connectors import Call, get
from integrations.connections import book, probe
from integrations.messages.tables import MessageLog
from tests.far_ends import rabbitmq


@pytest.fixture(scope="module")
def node() -> Iterator[int]:
    # Not in pytest's own folder: every session that starts takes other users' permission to it away
    with TemporaryDirectory(prefix="carelane-rabbit-") as folder, rabbitmq.running(Path(folder)) as port:
        yield port


@pytest.fixture
def queue(node: int, sessions: sessionmaker[Session]) -> Iterator[Any]:
    """A channel on the broker with one durable queue, and our connection to it."""
    connect(sessions, node)
    connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", node))
    channel = connection.channel()
    channel.queue_declare("orders", durable=True)
    channel.queue_purge("orders")
    yield channel
    connection.close()


def connect(sessions: sessionmaker[Session], port: int, secrets: dict[str, str] | None = None, **address: Any) -> None:
    with sessions() as session:
        book.put(session, "broker", "amqp", address={"host": "127.0.0.1", "port": port, "timeout": 3, **address}, secrets=secrets)
        session.commit()


def call(key: str = "k1", **values: Any) -> dict[str, Any]:
    given = {"routingKey": "orders", "body": {"patient": "王小明"}, **values}
    return dict(get("amqp.publish").call(Call("amqp.publish", given, {}, key, "i1", "e1")))


def test_a_message_arrives_persistent_with_its_key_as_its_id(queue: Any) -> None:
    assert call(headers={"ward": "外科"}, type="order.placed") == {"messageId": "k1"}
    _, about, body = queue.basic_get("orders", auto_ack=True)
    assert json.loads(body) == {"patient": "王小明"}
    assert (about.message_id, about.delivery_mode, about.type, about.headers, about.content_type) == (
        "k1", 2, "order.placed", {"ward": "外科"}, "application/json",
    )  # fmt: skip


def test_the_same_key_twice_is_one_message_or_two_with_one_id(queue: Any, sessions: sessionmaker[Session]) -> None:
    assert call() == call()
    with sessions() as session:  # our own log lost: the receiver knows the copy by its id
        session.execute(delete(MessageLog))
        session.commit()
    call()
    ids = [queue.basic_get("orders", auto_ack=True)[1].message_id for _ in range(2)]
    assert ids == ["k1", "k1"]
    assert queue.basic_get("orders")[0] is None


def test_a_message_that_no_queue_takes_is_a_failure_that_says_so(queue: Any) -> None:
    with pytest.raises(ConnectorFailed, match="no queue that takes 'nowhere'") as failed:
        call(routingKey="nowhere")
    assert failed.value.kind == "permanent"


def test_an_exchange_that_is_not_there_is_named(queue: Any) -> None:
    with pytest.raises(ConnectorFailed, match="no exchange 'none'") as failed:
        call(exchange="none")
    assert failed.value.kind == "permanent"


def test_a_full_queue_is_transient(queue: Any) -> None:
    queue.queue_declare("full", arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    with pytest.raises(ConnectorFailed, match="could not keep") as failed:
        call(routingKey="full")
    assert failed.value.kind == "transient"


def test_wrong_credentials_are_permanent_and_a_broker_that_is_off_is_transient(queue: Any, sessions: sessionmaker[Session], node: int) -> None:
    connect(sessions, node, {"user": "guest", "password": "wrong"})
    with pytest.raises(ConnectorFailed, match="does not take our user") as failed:
        call()
    assert failed.value.kind == "permanent"
    connect(sessions, 9)
    with pytest.raises(ConnectorFailed, match="cannot be reached") as failed:
        call()
    assert failed.value.kind == "transient"


def test_the_connection_is_tested_without_a_message(queue: Any, sessions: sessionmaker[Session]) -> None:
    with sessions() as session:
        assert probe.test(session, "broker").good
    assert queue.basic_get("orders")[0] is None


def test_without_the_optional_package_the_failure_says_how_to_get_it(sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch) -> None:
    connect(sessions, 9)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConnectorFailed, match=r"carelane\[amqp\]") as failed:
        call()
    assert failed.value.kind == "permanent"
