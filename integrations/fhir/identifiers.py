"""The names that identifiers go by on FHIR's side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

RECORD = "urn:carelane:mrn"  # our medical record number
ID_CARD = "urn:oid:2.16.156.10011.1.3"  # China's resident ID card (OID of the national health data sets)
MEDICAL_CARD = "urn:carelane:medical-card"
ORDER = "urn:carelane:order"
REFERRAL = "urn:carelane:referral"
VISIT = "urn:carelane:visit"
CALL = "urn:carelane:call"

PERSONAL: Mapping[str, str] = {ID_CARD: "idCard", MEDICAL_CARD: "medicalCard"}  # system: field of the patient index


def index_system(system: str) -> str:
    """The name under which the patient index keeps another system's numbers: at most 40 characters."""
    return system if len(system) <= 40 else f"sha256:{sha256(system.encode()).hexdigest()[:32]}"


def pairs(element: Any) -> Iterator[tuple[str, str]]:
    """System and value of each identifier in a list of FHIR Identifiers."""
    for item in element if isinstance(element, list) else ():
        if isinstance(item, Mapping) and item.get("value"):
            yield str(item.get("system") or ""), str(item["value"])


def value_of(element: Any, system: str) -> str:
    """The value under that system; empty when there is none."""
    return next((value for name, value in pairs(element) if name == system), "")
