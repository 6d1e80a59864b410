"""Every wire that a connector uses can be added, edited and tested on the page of connections."""

from __future__ import annotations

from typing import Any

import pytest

import integrations
from integrations.connections import kinds, probe
from integrations.connections.kinds import KINDS
from integrations.connector import declared
from web.connections import words
from web.i18n import catalogue

WIRES = {  # the kind of connection that each connector's own connection is
    "amqp.publish": "amqp", "dicom.echo": "dicom", "dicom.find": "dicom", "dicom.worklist": "dicom_listener", "dicomweb.search": "dicomweb",
    "fhir.": "fhir", "hl7.": "mllp", "http.request": "http", "insurance.": "insurance_claim", "mail.send": "smtp",
    "pharmacy.dispense": "mllp", "sms.send": "sms", "soap.call": "soap", "sql.query": "sql", "file.": "folder",
}  # fmt: skip
PAYMENTS = ("wechat", "alipay", "intents", "gateway")  # `payment.*` goes to the connection that its channel names


def wire(type_: str) -> str:
    return next((kind for begin, kind in WIRES.items() if type_.startswith(begin)), "")


def test_each_connectors_kind_of_connection_has_a_row_and_a_test() -> None:
    integrations.load()
    used = {type_: wire(type_) for type_, one in declared().items() if one.connection}
    assert [type_ for type_, kind in used.items() if not kind] == [], "say in WIRES what kind of connection it has"
    assert [kind for kind in {*used.values(), *PAYMENTS} if kind not in KINDS] == []
    assert sorted(set(KINDS) - set(probe._PROBES)) == []
    assert sorted(set(probe._PROBES) - set(KINDS)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_its_fields_and_secrets_have_words_in_both_languages(kind: str) -> None:
    chinese, row = catalogue("zh"), KINDS[kind]
    assert all(row.title)
    titles = [words.FIELDS.get(field.name) for field in row.form] + [words.SECRETS.get(name) for name in row.secrets]
    assert None not in titles, [field.name for field in row.form if field.name not in words.FIELDS]
    assert [str(t._args[0]) for t in titles if t is not None and not chinese[t._args[0]].string] == []
    assert {field.type for field in row.form} <= {*words.WRONG, "bool"}


@pytest.mark.parametrize(
    ("kind", "name", "text", "wanted"),
    [
        ("wechat", "reconcile_at", "10:30", "10:30"), ("wechat", "reconcile_at", "24:00", None), ("alipay", "fee_rate", "0.006", "0.006"),
        ("alipay", "fee_rate", "6", None), ("mllp", "most_calls", "4", 4), ("mllp", "most_calls", "0", None), ("mllp", "port", "99999", None),
        ("insurance_claim", "codes", '{"0": "ok"}', {"0": "ok"}), ("insurance_claim", "codes", "ok", None),
        ("mllp_listener", "mappings", "ADT = his@2", "ADT = his@2"), ("mllp_listener", "mappings", "ADT his", None),
        ("http", "url", "https://user:secret@x.example", None), ("sms", "timeout", "301", None),
    ],
)  # fmt: skip
def test_what_is_typed_is_checked_by_its_type(kind: str, name: str, text: str, wanted: Any) -> None:
    address, wrong = kinds.read_address(kind, {f"address.{name}": text}, {})
    assert address.get(name) == wanted
    assert (name in wrong) == (wanted is None)


def test_what_the_form_does_not_know_stays_what_it_was() -> None:
    before = {"url": "http://x.example", "own": {"a": [1]}, "flag": True, "count": 3}
    given = {"address.url": "http://x.example", "address.own": '{"a": [1]}', "address.flag": "1", "address.count": "3"}
    assert kinds.read_address("http", given, before) == (before, {})
