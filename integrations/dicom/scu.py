"""Asks a PACS over DIMSE: whether it is there (C-ECHO), and which studies it has (C-FIND)."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydicom import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind, Verification  # type: ignore[attr-defined]

from engine.errors import ConnectorFailed
from integrations.connections import tls
from integrations.connections.book import Link

_OUT_OF_RESOURCES = 0xA700  # PS3.4 table C.4-1
_PENDING = (0xFF00, 0xFF01)


def echo(link: Link) -> None:
    """C-ECHO: the peer is there and takes us for whom we say we are. Raises ConnectorFailed."""
    with _association(link, Verification) as association:
        status = association.send_c_echo()
    if status.get("Status") != 0:
        raise ConnectorFailed(f"{link.name} answered the echo with {_shown(status)}")


def find(link: Link, query: Dataset, most: int = 100) -> list[Dataset]:
    """C-FIND at study level: the data sets that the PACS has, `most` at most. Asking changes nothing, so each failure may be repeated."""
    found: list[Dataset] = []
    with _association(link, StudyRootQueryRetrieveInformationModelFind) as association:
        for status, data in association.send_c_find(query, StudyRootQueryRetrieveInformationModelFind):
            code = status.get("Status")
            if code is None:
                raise ConnectorFailed(f"{link.name} gave no answer: the association ended")
            if code in _PENDING and data is not None:
                found.append(data)
                if len(found) >= most:
                    break
            elif code not in (0, *_PENDING):
                kind = "transient" if code == _OUT_OF_RESOURCES else "permanent"
                raise ConnectorFailed(f"{link.name} answered the query with {_shown(status)}", kind=kind)  # type: ignore[arg-type]
    return found


@contextmanager
def _association(link: Link, sop_class: str) -> Iterator[Any]:
    ae = AE(ae_title=str(link.address.get("calling", "CARELANE")))
    ae.add_requested_context(sop_class)
    ae.connection_timeout = min(5.0, link.timeout)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = link.timeout
    host, port, title = str(link.address["host"]), int(link.address["port"]), str(link.address["ae_title"])
    association = ae.associate(host, port, ae_title=title, tls_args=_tls(link))
    try:
        if association.is_rejected:
            # PS3.8 table 9-21: result 1 is for good, 2 for now
            result = getattr(association.acceptor.primitive, "result", None)
            kind = "transient" if result == 2 else "permanent"
            raise ConnectorFailed(f"{link.name} does not take the association: check both AE titles there", kind=kind)  # type: ignore[arg-type]
        if not association.is_established:
            if association.rejected_contexts:
                raise ConnectorFailed(f"{link.name} does not do this kind of query", kind="permanent")
            raise ConnectorFailed(f"{link.name} cannot be reached")
        yield association
    finally:
        if association.is_established:
            association.release()


def _shown(status: Dataset) -> str:
    code = status.get("Status")
    return "nothing" if code is None else f"status 0x{code:04X}"


def _tls(link: Link) -> tuple[ssl.SSLContext, str] | None:
    if not link.address.get("tls"):
        return None
    return tls.client(link.address, link.secrets), str(link.address.get("server_name", link.address["host"]))
