"""The CapabilityStatement: made from what the endpoint really does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from integrations.fhir.server import check, params
from integrations.fhir.server.params import Type

_TYPES: Mapping[Type, str] = {
    "id": "token", "updated": "date", "token": "token", "patient": "reference", "reference": "reference", "date": "date", "status": "token",
    "text": "string",
}  # fmt: skip
_INTERACTIONS = ("read", "search-type", "create", "update")


def statement(base: str) -> dict[str, Any]:
    """What this endpoint can do, at its address."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-22",
        "kind": "instance",
        "software": {"name": "Carelane"},
        "implementation": {"description": "A clinic's processes", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "security": {"description": "A bearer token with the scope fhir:read or fhir:write, or a partner's own token."},
                "resource": [_resource(kind) for kind in check.KINDS],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
            }
        ],
    }


def _resource(kind: str) -> dict[str, Any]:
    return {
        "type": kind,
        "interaction": [{"code": code} for code in _INTERACTIONS],
        "versioning": "versioned-update",
        "readHistory": False,
        "updateCreate": kind != "Patient",
        "conditionalCreate": True,
        "conditionalRead": "not-match",
        "conditionalUpdate": True,
        "searchInclude": [f"{kind}:{name}" for name in params.INCLUDES],
        "searchParam": [{"name": name, "type": _TYPES[type_]} for name, type_ in params.PARAMETERS[kind].items()],
    }
