"""Tests of connections by wire: imaging, web services, short messages, brokers. See `probe`, which holds those of the first wires."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from engine.errors import ConnectorFailed
from integrations.connections.book import Link

Probe = Callable[[Link], tuple[str, datetime | None]]


def dicom(link: Link) -> tuple[str, datetime | None]:
    """C-ECHO: the peer knows our AE title."""
    from integrations.dicom import scu

    scu.echo(link)
    return "It answers the echo and takes our AE title.", None


def dicom_listener(link: Link) -> tuple[str, datetime | None]:
    """C-ECHO to ourselves, as a modality would."""
    from integrations.dicom import scu

    callers = str(link.address.get("callers", "")).split() or ["CARELANE"]
    title = link.address.get("ae_title", "CARELANE")
    own = {"port": 11112, "host": "127.0.0.1", **link.address, "ae_title": title, "calling": callers[0], "tls": False}
    scu.echo(Link(link.name, link.kind, own))
    return "We serve the worklist.", None


def dicom_folder(link: Link) -> tuple[str, datetime | None]:
    """The folder is there and we may write in it."""
    folder = Path(str(link.address["folder"]))
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ConnectorFailed(f"{link.name}: there is no folder to write in at that place", kind="permanent")
    return "The folder can be written.", None


def dicomweb(link: Link) -> tuple[str, datetime | None]:
    """A query that finds nothing."""
    from integrations import http
    from integrations.dicom import studies

    studies.by_web(link, studies.Wanted(accession="CARELANE-TEST"), 1)
    return "It answers queries.", http.peer_certificate_end(link)


def http(link: Link) -> tuple[str, datetime | None]:
    """The test path, with the credentials: 401 and 403 say that they are wrong."""
    from integrations import http as wire

    answer = wire.request(link, "GET", str(link.address.get("test_path", "/")), headers=wire.credentials(link))
    if answer.status_code in (401, 403):
        raise ConnectorFailed(f"It answers {answer.status_code}: it does not take the credentials.", kind="permanent")
    return f"It answers {answer.status_code}.", wire.peer_certificate_end(link)


def soap(link: Link) -> tuple[str, datetime | None]:
    """The WSDL can be read."""
    from integrations import http as wire
    from integrations.soap import client

    found = client.operations(link)
    return f"It offers {len(found)} operations: {', '.join(found[:8])}", wire.peer_certificate_end(link)


def sms(link: Link) -> tuple[str, datetime | None]:
    """The provider's address answers; no message is sent."""
    from integrations import http as wire

    answer = wire.request(link, "GET", str(link.address.get("test_path", "/")))
    return f"It answers {answer.status_code}; whether it takes our signature shows with the first message.", wire.peer_certificate_end(link)


def smtp(link: Link) -> tuple[str, datetime | None]:
    """The server greets, secures the connection and takes our user."""
    from integrations.connectors import mail_send

    with mail_send.connected(link) as server:
        server.noop()
        certificate = server.sock.getpeercert() if isinstance(server.sock, ssl.SSLSocket) else None
    text = (certificate or {}).get("notAfter")
    return "It greets and takes our user.", datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC) if isinstance(text, str) else None


def amqp(link: Link) -> tuple[str, datetime | None]:
    """A channel can be opened."""
    from integrations.connectors import amqp_publish

    with amqp_publish.channel(link):
        return "It takes our user and opens a channel.", None


def files(link: Link) -> tuple[str, datetime | None]:
    """The directory lets us in and can be listed, and what the connection says of its files can be read."""
    from integrations.files import layout, places

    layout.read(link.name, link.address)
    with places.opened(link) as place:
        found = place.entries()
    return f"It lets us in; {len(found)} files lie there.", None


def webhook(link: Link) -> tuple[str, datetime | None]:
    """Nothing is called: its key is there, and the mappings that it names are published."""
    from integrations import runtime
    from integrations.messages import routes

    if not link.secrets["shared_key"]:
        raise ConnectorFailed(f"The connection {link.name} does not say its shared_key.", kind="permanent")
    with runtime.reading() as session:
        gone = routes.missing(session, str(link.address.get("mappings") or ""))
    if gone:
        raise ConnectorFailed(f"The connection names a mapping that is not published ({', '.join(gone)})", kind="permanent")
    return f"It waits at /hooks/{link.name}; its mappings are published.", None


PROBES: Mapping[str, Probe] = {
    "amqp": amqp, "dicom": dicom, "dicom_folder": dicom_folder, "dicom_listener": dicom_listener, "dicomweb": dicomweb, "folder": files,
    "http": http, "sftp": files, "sms": sms, "smtp": smtp, "soap": soap, "webhook": webhook,
}  # fmt: skip
