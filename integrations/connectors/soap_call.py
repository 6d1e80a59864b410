"""Any SOAP web service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.errors import BpmnError, ConnectorFailed
from integrations.connections.book import Link
from integrations.connector import REFUSED, Work, connector
from integrations.messages import log
from integrations.messages.log import Outbound
from integrations.schema import about

# Fault codes that say that the question was wrong: SOAP 1.1 section 4.4.1, SOAP 1.2 part 1 section 5.4.6
_OURS = ("Client", "Sender", "VersionMismatch", "MustUnderstand", "DataEncodingUnknown")


@dataclass(frozen=True)
class Input:
    """The call. The WSDL, the address and the credentials come from the connection."""

    operation: str = about("Operation", "操作")
    arguments: dict[str, Any] = about("Arguments", "参数", default={}, personal=True)  # noqa: RUF009  about() makes a field
    faults: dict[str, str] = about(  # noqa: RUF009  about() makes a field
        "Faults that the process catches", "由流程捕获的错误", default={},
        help=("Name of the fault's detail, or its code, and the BPMN error's code.", "错误明细名或错误码，对应 BPMN 错误码。"),
    )  # fmt: skip


@dataclass(frozen=True)
class Output:
    """The answer."""

    result: Any = about("Result", "结果", default=None, personal=True)  # noqa: RUF009  about() makes a field


@connector(
    "soap.call", title=("Call a SOAP service", "调用 SOAP 服务"), group=("General", "通用"), connection="soap",
    standard="SOAP 1.1 and 1.2 by WSDL, WS-Security username token", icon="globe", errors=REFUSED,
)  # fmt: skip
def call(given: Input, work: Work) -> Output:
    """Calls an operation of the connection's WSDL. A fault that is named becomes the BPMN error given for it.

    调用连接 WSDL 中的操作。列出的错误转换为对应的 BPMN 错误。
    """
    link = work.link()
    sent = {"operation": given.operation, "payload": given.arguments}

    def go() -> dict[str, Any]:
        from integrations.soap import client

        try:
            return {"payload": client.call(link, given.operation, given.arguments, work.call.key)}
        except client.Refused as fault:
            raise _sorted(link, given, fault.code, fault.names, fault.message) from fault

    kept = log.exchange(work.call, link, Outbound("soap", work.call.key[:120], sent, None, work.call.subject), go)
    return Output(kept["payload"])


def _sorted(link: Link, given: Input, code: str, names: list[str], message: str) -> BpmnError | ConnectorFailed:
    for name in (*names, code):
        if name in given.faults:
            return BpmnError(given.faults[name], f"{link.name} answered with the fault {name}", {"fault": name, "reason": message})
    if code.partition(".")[0] in _OURS:
        return ConnectorFailed(f"{link.name} answered with the fault {code}", kind="permanent", response={"names": names, "reason": message})
    after = "transient" if link.idempotent else "unknown"
    return ConnectorFailed(f"{link.name} answered with the fault {code}", kind=after, response={"names": names, "reason": message})  # type: ignore[arg-type]
