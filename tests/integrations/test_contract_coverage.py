"""Every connector is held to four properties: by the parametrised contracts, by a test of its own, or not, for a reason in words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import integrations
from integrations.connector import declared
from tests.integrations import test_connector_contracts as simulated
from tests.integrations import test_wire_contracts as spoken

integrations.load()

PROPERTIES = ("timeout", "retry", "once", "redaction")
TEST = re.compile(r"(test_\w+\.py)::(test_\w+)")

# ── held by the parametrised contracts: property → the connectors of each test ───────────────────────────────────────────

HELD = {
    "timeout": {*simulated.CALLS, *spoken.WIRES, *simulated.MORE},
    "retry": {*simulated.CALLS, *spoken.SPOKEN, *simulated.MORE},
    "once": {*simulated.CALLS, *spoken.DOING, *simulated.MORE},
    "redaction": {*simulated.CALLS, *spoken.ANSWERED, *spoken.ROWS, *simulated.MORE},
}

# ── held by a test of their own, or exempted ─────────────────────────────────────────────────────────────────────────────

INSIDE = "It works inside Carelane: there is no far end that could be late."
FAILS_INSIDE = "It works inside Carelane: the database's own failures are sorted by the declaration, the same for all."
NO_LOG = "It works inside Carelane and sends nothing: there is no row in the message log."
READS = "Asking changes nothing: there is no effect to double."
ELSEWHERE: dict[str, dict[str, str]] = {
    "soap.call": {
        "timeout": "test_soap.py::test_a_late_answer_is_lost",
        "retry": "test_soap.py::test_other_faults_are_sorted",
        "once": "test_soap.py::test_the_same_key_is_called_once",
        "redaction": "test_soap.py::test_arguments_are_masked_in_the_log_and_encrypted_on_disk",
    },
    "file.write": {
        "retry": "test_files.py::test_a_place_that_is_away_is_transient",
        "once": "test_files.py::test_a_file_appears_whole_under_its_name_and_once_for_a_key",
    },
    "dicom.worklist": {
        "timeout": "It serves the worklist itself or writes a file: no far end is asked.",
        "retry": "test_dicom.py::test_what_cannot_be_scheduled_is_named",
        "once": "test_dicom.py::test_a_cancelled_order_disappears_and_the_same_order_is_listed_once",
    },
    "payment.difference": {
        "timeout": "It decides by a process: what it posts or refunds goes through hl7.dft_p03 and payment.refund.",
        "retry": "test_stored_reconciliation.py::test_a_decision_needs_a_reason_and_must_be_possible",
        "once": "test_stored_reconciliation.py::test_a_decision_is_recorded_once_and_not_replaced",
        "redaction": NO_LOG,
    },
    "map.apply": {
        "timeout": "The mapping is evaluated here, under a limit of its own.",
        "retry": "test_mappings.py::test_the_connector_fails_for_good_where_trying_again_would_not_help",
        "once": "It computes: there is no effect to double.",
        "redaction": NO_LOG,
    },
    "payment.confirm": {
        "timeout": INSIDE, "retry": FAILS_INSIDE, "once": "test_payments.py::test_cash_waits_for_the_cashier_and_uses_no_wire",
        "redaction": NO_LOG,
    },
    "patient.search": {"timeout": INSIDE, "retry": FAILS_INSIDE, "once": READS, "redaction": NO_LOG},
    "patient.save": {
        "timeout": INSIDE, "retry": "test_patients.py::test_a_wrong_date_is_named",
        "once": "test_patients.py::test_the_same_call_twice_makes_one_record",
        "redaction": "test_connector_contracts.py::test_what_is_personal_is_masked_when_a_call_is_shown",
    },
    "queue.ticket": {
        "timeout": INSIDE, "retry": FAILS_INSIDE,
        "once": "test_patients.py::test_tickets_run_by_department_and_day_and_the_same_call_draws_the_same", "redaction": NO_LOG,
    },
    "queue.load": {"timeout": INSIDE, "retry": FAILS_INSIDE, "once": READS, "redaction": NO_LOG},
    "notify": {
        "timeout": INSIDE, "retry": FAILS_INSIDE, "once": "test_patients.py::test_an_alert_is_raised_once_for_its_role",
        "redaction": NO_LOG,
    },
    **{type_: {"once": READS} for type_, wire in spoken.WIRES.items() if wire.reads},
}  # fmt: skip
CELLS = [(type_, name) for type_ in declared() for name in PROPERTIES]


@pytest.mark.parametrize(("type_", "name"), CELLS)
def test_every_connector_is_held_to_each_property_or_exempted_in_words(type_: str, name: str) -> None:
    told = ELSEWHERE.get(type_, {}).get(name)
    if type_ in HELD[name]:
        assert told is None, "it is held by the contracts: the table is older than they are"
        return
    assert told, f"{type_} has no contract test for {name}, and ELSEWHERE does not say where one is or why there is none"
    if found := TEST.fullmatch(told):
        assert f"\ndef {found[2]}(" in (Path(__file__).parent / found[1]).read_text()
    else:
        assert len(told.split()) > 5, "a reason is a sentence"


def test_the_table_names_no_connector_and_no_property_that_is_none() -> None:
    assert set(ELSEWHERE) <= set(declared())
    assert {name for told in ELSEWHERE.values() for name in told} <= set(PROPERTIES)
    assert set().union(*HELD.values()) <= set(declared())
