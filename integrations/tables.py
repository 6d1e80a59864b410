"""All tables of this package, imported so that migrations and `create_all` see them."""

from __future__ import annotations

from integrations.connections.tables import Connection, ConnectionChange
from integrations.dicom.tables import WorklistEntry
from integrations.dictionary.tables import DictionaryField, DictionaryRevision
from integrations.fhir.tables import FhirResource, FhirToken
from integrations.files.tables import InboundFile, InboundFilePart
from integrations.legacy.tables import LegacyCase, LegacyMigration, LegacyRow, LegacyRun, LegacySample
from integrations.mappings.tables import MappingHead, MappingVersion
from integrations.messages.tables import MessageAction, MessageLog, WorkItem
from integrations.notices.tables import Alert
from integrations.patients.tables import Patient, PatientIdentifier, PatientMerge, PatientReview, PatientScreening
from integrations.payments.tables import (
    Payment,
    PaymentEntry,
    ReconciliationDay,
    ReconciliationDifference,
    ReconciliationFile,
)
from integrations.quality.tables import QualityFinding, QualityInspection, QualityRule, QualityScore, QualityValue
from integrations.queues.tables import Appointment, QueueTicket

__all__ = [
    "Alert",
    "Appointment",
    "Connection",
    "ConnectionChange",
    "DictionaryField",
    "DictionaryRevision",
    "FhirResource",
    "FhirToken",
    "InboundFile",
    "InboundFilePart",
    "LegacyCase",
    "LegacyMigration",
    "LegacyRow",
    "LegacyRun",
    "LegacySample",
    "MappingHead",
    "MappingVersion",
    "MessageAction",
    "MessageLog",
    "Patient",
    "PatientIdentifier",
    "PatientMerge",
    "PatientReview",
    "PatientScreening",
    "Payment",
    "PaymentEntry",
    "QualityFinding",
    "QualityInspection",
    "QualityRule",
    "QualityScore",
    "QualityValue",
    "QueueTicket",
    "ReconciliationDay",
    "ReconciliationDifference",
    "ReconciliationFile",
    "WorkItem",
    "WorklistEntry",
]  # fmt: skip
