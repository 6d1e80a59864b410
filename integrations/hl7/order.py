"""What the HL7 connectors share: the patient of a call, sending through a connection, reading the acknowledgement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine import clock
from engine.errors import ConnectorFailed, NotFound
from integrations import runtime
from integrations.connector import Work
from integrations.fhir.server import ours
from integrations.fhir.server.ours import Ordered
from integrations.hl7 import ack, mllp, read, write
from integrations.hl7.read import Message
from integrations.messages import log
from integrations.messages.log import Outbound
from integrations.patients import index

LOINC = "LN"


def submit(
    work: Work,
    kind: tuple[str, str, str],
    patient_id: str,
    segments: Callable[[str], Sequence[str]],
    *,
    reference: str | None = None,
    mapped: Mapping[str, Any] | None = None,
    ordered: Ordered | None = None,
    connection: str = "",
) -> Message:
    """Sends a message about a patient and returns the accepting answer. `segments` gets the control id.

    What was `ordered` is shown to other systems as a ServiceRequest from then on.

    Raises as `ack.judge` and `mllp.send` do.
    """
    link, settings = work.link(connection), runtime.settings()
    control = write.control_id(work.call.key)
    enhanced = link.address.get("acknowledgement") == "enhanced"
    body, number = _patient(patient_id)
    text = write.message(
        kind, [_with_patient(item, body, number) for item in segments(control)], control=control,
        receiver=(str(link.address.get("application", link.name.upper())), str(link.address.get("facility", ""))),
        at=clock.now(), zone=settings.clinic_zone, enhanced=enhanced,
    )  # fmt: skip

    def go() -> str:
        accepted = (lambda answer: ack.is_accept(answer, control)) if enhanced else None
        raw = mllp.send(link.address, text.encode(), idempotent=link.idempotent, secrets=link.secrets, accepted=accepted)
        ack.judge(raw, control)
        return read.decode(raw)

    message = Outbound(f"{kind[0]}^{kind[1]}", control, text, reference, patient_id, dict(mapped or {}))
    answer = read.parse(read.split(log.exchange(work.call, link, message, go).encode())[0])
    if ordered is not None:
        with runtime.transaction() as session:
            ours.order(session, settings, ordered, patient_id, work.call.instance_id)
    return answer


PATIENT = "PID"  # stands for the patient's segment in a list of segments


def visit(visit_number: str, department: str = "") -> str:
    """PV1 of an outpatient visit."""
    return write.segment("PV1", {1: 1, 2: "O", 3: [department], 19: visit_number})


def _with_patient(item: str, body: Mapping[str, Any], number: str) -> str:
    return write.patient(1, body, number) if item == PATIENT else item


def _patient(patient_id: str) -> tuple[Mapping[str, Any], str]:
    with runtime.reading() as session:
        try:
            row = index.present(session, patient_id)
        except NotFound as error:
            raise ConnectorFailed(f"patientId: there is no patient {patient_id!r} in the index", kind="permanent") from error
        return row.body, row.record_number
