"""Publishes to a message broker."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from engine.errors import ConnectorFailed
from integrations.connections import tls
from integrations.connections.book import Link
from integrations.connector import Work, connector
from integrations.messages import log
from integrations.messages.log import Outbound
from integrations.schema import about

PERSISTENT = 2  # AMQP 0-9-1, basic.delivery-mode


@dataclass(frozen=True)
class Input:
    """The message."""

    routing_key: str = about("Routing key", "路由键")
    body: Any = about("Body, sent as JSON", "消息体（JSON）", personal=True)  # noqa: RUF009  about() makes a field
    exchange: str | None = about("Exchange; empty: the connection's", "交换机；留空使用连接的设置", default=None)
    headers: dict[str, str] = about("Headers", "消息头", default={})  # noqa: RUF009  about() makes a field
    type: str = about("Type of the message", "消息类型", default="")


@dataclass(frozen=True)
class Output:
    """The message's number, by which its receivers know a second copy."""

    message_id: str = about("Message id", "消息编号")


@connector(
    "amqp.publish", title=("Publish to a message broker", "发布到消息代理"), group=("General", "通用"), connection="broker",
    standard="AMQP 0-9-1 with publisher confirms", icon="send",
)  # fmt: skip
def publish(given: Input, work: Work) -> Output:
    """Publishes a persistent message that the broker confirms and a queue takes. Every try carries the same message id.

    发布持久消息，由代理确认并进入队列。每次重试使用相同的消息编号。
    """
    link = work.link()
    exchange = str(link.address.get("exchange", "")) if given.exchange is None else given.exchange
    sent = {"exchange": exchange, "routingKey": given.routing_key, "type": given.type, "payload": given.body}
    message = Outbound("amqp", work.call.key[:120], sent, None, work.call.subject)
    log.exchange(work.call, link, message, lambda: _published(link, exchange, given, work.call.key))
    return Output(work.call.key)


@contextmanager
def channel(link: Link) -> Iterator[Any]:
    """A channel with confirms. ConnectorFailed: permanent when the broker does not take our user, transient when it is not there."""
    if importlib.util.find_spec("pika") is None:
        raise ConnectorFailed("amqp.publish needs the optional package: pip install carelane[amqp]", kind="permanent")
    import pika
    from pika.adapters.utils.connection_workflow import AMQPConnectorException
    from pika.exceptions import AMQPConnectionError, AMQPError, ProbableAccessDeniedError, ProbableAuthenticationError

    try:
        connection = pika.BlockingConnection(_parameters(link))
    except (ProbableAuthenticationError, ProbableAccessDeniedError) as error:
        raise ConnectorFailed(f"{link.name} does not take our user or virtual host", kind="permanent") from error
    except (AMQPConnectionError, AMQPConnectorException, OSError) as error:  # the second one: it listens and says nothing
        raise ConnectorFailed(f"{link.name} cannot be reached: {type(error).__name__}", kind="transient") from error
    # pika waits for a confirmation for ever, also while the broker's heartbeats come
    late = AMQPConnectionError(f"nothing came for {link.timeout:g} s")
    connection._impl.ioloop.call_later(link.timeout, lambda: connection._impl._terminate_stream(late))
    try:
        try:
            opened = connection.channel()
            opened.confirm_delivery()
        except (AMQPError, OSError) as error:
            raise ConnectorFailed(f"{link.name} opens no channel: {type(error).__name__}", kind="transient") from error
        yield opened
    finally:
        if connection.is_open:
            with suppress(AMQPError, OSError):  # it has confirmed, or the failure is told already
                connection.close()


def _published(link: Link, exchange: str, given: Input, key: str) -> dict[str, bool]:
    with channel(link) as opened:
        import pika
        from pika.exceptions import AMQPError, ChannelClosedByBroker, NackError, UnroutableError

        about_it = pika.BasicProperties(
            message_id=key, delivery_mode=PERSISTENT, content_type="application/json", content_encoding="utf-8", app_id="carelane",
            type=given.type or None, headers=dict(given.headers) or None,
        )  # fmt: skip
        body = json.dumps(given.body, ensure_ascii=False).encode()
        try:
            opened.basic_publish(exchange, given.routing_key, body, about_it, mandatory=True)
        except UnroutableError as error:
            raise ConnectorFailed(f"routingKey: {link.name} has no queue that takes {given.routing_key!r}", kind="permanent") from error
        except NackError as error:
            raise ConnectorFailed(f"{link.name} could not keep the message", kind="transient") from error
        except ChannelClosedByBroker as error:
            raise ConnectorFailed(f"{link.name}: {error.reply_text}", kind="permanent") from error
        except (AMQPError, OSError) as error:
            after = "transient" if link.idempotent else "unknown"
            raise ConnectorFailed(f"{link.name} gave no confirmation: {type(error).__name__}", kind=after) from error  # type: ignore[arg-type]
    return {"confirmed": True}


def _parameters(link: Link) -> Any:
    import pika

    context = tls.client(link.address, link.secrets) if link.address.get("tls") else None
    host = str(link.address["host"])
    return pika.ConnectionParameters(
        host=host, port=int(link.address.get("port", 5671 if context else 5672)), virtual_host=str(link.address.get("virtual_host", "/")),
        credentials=pika.PlainCredentials(link.secrets.get("user", "guest"), link.secrets.get("password", "guest")),
        ssl_options=pika.SSLOptions(context, host) if context else None, socket_timeout=min(5.0, link.timeout),
        stack_timeout=link.timeout, blocked_connection_timeout=link.timeout, heartbeat=60, connection_attempts=1,
    )  # fmt: skip
