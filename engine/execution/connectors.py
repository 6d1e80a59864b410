"""The registry of connectors. The engine owns it and knows nothing else of far ends; `integrations` fills it at start-up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from engine.errors import NotFound


@dataclass(frozen=True, slots=True)
class Call:
    """What a connector is asked to do. `key` stays the same for every try of the same call."""

    type: str
    input: Mapping[str, Any]
    headers: Mapping[str, str]
    key: str
    instance_id: str
    element_id: str
    process_id: str = ""
    business_key: str | None = None
    subject: str | None = None
    department: str | None = None
    attempt: int = 1


class Connector(Protocol):
    """Something that can carry out calls of one type."""

    type: str

    def call(self, call: Call) -> Mapping[str, Any]:
        """Does it and returns the output variables.

        Raises BpmnError for a refusal that the process may catch, ConnectorFailed for the rest. Runs outside any
        transaction and may run again with the same key.
        """
        ...


_connectors: dict[str, Connector] = {}


def register(connector: Connector) -> None:
    """Makes a connector known under its type; a second one of the same type is a programming error."""
    if connector.type in _connectors and _connectors[connector.type] is not connector:
        raise ValueError(f"two connectors of type {connector.type}")
    _connectors[connector.type] = connector


def get(type_: str) -> Connector:
    """The connector of that type; NotFound names those there are."""
    try:
        return _connectors[type_]
    except KeyError:
        raise NotFound(f"There is no connector {type_!r}; there are: {', '.join(sorted(_connectors)) or 'none'}.") from None


def known() -> dict[str, Connector]:
    """All registered connectors by type."""
    return dict(_connectors)
