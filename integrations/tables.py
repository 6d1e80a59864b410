"""All tables of this package, imported so that migrations and `create_all` see them."""

from __future__ import annotations

from integrations.connections.tables import Connection
from integrations.messages.tables import MessageLog, WorkItem
from integrations.notices.tables import Alert
from integrations.patients.tables import Patient, PatientIdentifier, PatientMerge
from integrations.payments.tables import Payment, PaymentEntry
from integrations.queues.tables import Appointment, QueueTicket

__all__ = [
    "Alert", "Appointment", "Connection", "MessageLog", "Patient", "PatientIdentifier", "PatientMerge", "Payment",
    "PaymentEntry", "QueueTicket", "WorkItem",
]  # fmt: skip
