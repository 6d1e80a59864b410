"""Our own modality worklist: a DICOM server that modalities ask what to image (C-ECHO and C-FIND, no storage)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import structlog
from pydicom import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import ModalityWorklistInformationFind, Verification  # type: ignore[attr-defined]
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from engine.errors import CarelaneError
from engine.settings import Settings
from integrations.connections import tls
from integrations.dicom import match, worklist

logger = structlog.get_logger(__name__)
SUCCESS, PENDING, CANCELLED, FAILED = 0x0000, 0xFF00, 0xFE00, 0xC001  # PS3.4 table C.4-1


class WorklistServer:
    """Serves the entries of one inbound connection.

    Its address: host, port, ae_title, callers (AE titles that may ask, with spaces between; empty: any), charset, and tls with certificate_file, key_file
    and client_ca_file.
    """

    def __init__(self, sessions: sessionmaker[Session], settings: Settings, address: Mapping[str, Any], connection: str) -> None:
        self._sessions, self._settings, self._address, self._connection = sessions, settings, address, connection
        ae = AE(ae_title=str(address.get("ae_title", "CARELANE")))
        ae.add_supported_context(Verification)
        ae.add_supported_context(ModalityWorklistInformationFind)
        ae.require_called_aet = bool(address.get("check_called", False))
        ae.require_calling_aet = str(address.get("callers", "")).split()
        ae.maximum_associations = int(address.get("associations", 50))
        ae.network_timeout = ae.dimse_timeout = float(address.get("timeout", 60))
        where = (str(address.get("host", "127.0.0.1")), int(address.get("port", 11112)))
        handlers: list[Any] = [(evt.EVT_C_FIND, self._find), (evt.EVT_C_ECHO, lambda _event: SUCCESS)]
        self._server = ae.start_server(where, block=False, evt_handlers=handlers, ssl_context=tls.server(address))

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.socket.getsockname()[1])

    def stop(self) -> None:
        """Closes the port; associations that are open end."""
        self._server.shutdown()

    def _find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        try:
            query = event.identifier
            found = self._matching(query)
        except (SQLAlchemyError, CarelaneError, ValueError, LookupError) as error:
            logger.warning("worklist_query_failed", connection=self._connection, reason=type(error).__name__)
            yield FAILED, None
            return
        for item in found:
            if event.is_cancelled:
                yield CANCELLED, None
                return
            yield PENDING, item

    def _matching(self, query: Dataset) -> list[Dataset]:
        charset = str(self._address.get("charset", worklist.UTF8))
        found = []
        with self._sessions() as session:
            for entry in worklist.scheduled(session, self._connection, **_exact(query)):
                data = worklist.data_set(session, entry, zone=self._settings.clinic_zone, charset=charset)
                if not entry.station:  # any station of that modality: it is told that it is meant
                    _for_whoever_asks(query, data)
                if match.fits(query, data):
                    found.append(match.answer(query, data))
                if len(found) >= worklist.MOST_ANSWERS:
                    break
        return found


def _exact(query: Dataset) -> dict[str, str]:
    """Keys that the database can match; the rest is matched on what it finds."""
    step = next(iter(query.get("ScheduledProcedureStepSequence") or ()), Dataset())
    given = {"modality": match.text(step, "Modality"), "accession": match.text(query, "AccessionNumber")}
    return {name: value for name, value in given.items() if value and not set(value) & set("*?\\")}


def _for_whoever_asks(query: Dataset, data: Dataset) -> None:
    asked = [str(item.get("ScheduledStationAETitle") or "") for item in query.get("ScheduledProcedureStepSequence") or ()]
    if asked and asked[0].strip("* ?"):
        data.ScheduledProcedureStepSequence[0].ScheduledStationAETitle = asked[0]
