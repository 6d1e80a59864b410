"""An SFTP session: the server shows the key that the connection knows, we show a password or a key of ours."""

from __future__ import annotations

import base64
import hashlib
import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import paramiko
from paramiko.ssh_exception import SSHException

from engine.errors import ConnectorFailed
from integrations.connections.book import Link

_KEYS = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


@contextmanager
def connected(link: Link) -> Iterator[paramiko.SFTPClient]:
    """A session. ConnectorFailed (permanent) when the server's key is another one than the connection's, or it does not take our user."""
    host, port = str(link.address["host"]), int(link.address.get("port", 22))
    try:
        wire = socket.create_connection((host, port), timeout=link.timeout)
    except OSError as error:
        raise ConnectorFailed(f"{link.name} cannot be reached: {type(error).__name__}", kind="transient") from error
    transport: paramiko.Transport | None = None
    try:
        transport = _begun(link, wire)
        _signed_in(link, transport)
        client = paramiko.SFTPClient.from_transport(transport)
        if client is None:
            raise ConnectorFailed(f"{link.name} offers no SFTP", kind="permanent")
        client.get_channel().settimeout(link.timeout)  # type: ignore[union-attr]
        yield client
    except (SSHException, EOFError) as error:
        raise ConnectorFailed(f"{link.name}: the session ended: {type(error).__name__}", kind="transient") from error
    finally:
        if transport is not None:
            transport.close()
        wire.close()


def fingerprint(key: paramiko.PKey) -> str:
    """As `ssh-keygen -l` shows it: SHA256:…"""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")


def _begun(link: Link, wire: socket.socket) -> paramiko.Transport:
    known = str(link.secrets.get("host_key", "")).split()
    if not known:
        raise ConnectorFailed(f"{link.name}: the connection does not say the server's key (host_key), so nobody is believed", kind="permanent")
    transport = paramiko.Transport(wire)
    transport.banner_timeout = transport.auth_timeout = link.timeout
    if known[0] in transport.get_security_options().key_types:
        transport.get_security_options().key_types = [known[0]]  # a server with keys of several kinds shows the one that we know
    try:
        transport.start_client(timeout=link.timeout)
    except SSHException:
        transport.close()
        raise
    shown = transport.get_remote_server_key()
    if not {fingerprint(shown), shown.get_base64()} & set(known):
        transport.close()
        told = f"{link.name} shows another key than the connection knows ({fingerprint(shown)}): it may be somebody else"
        raise ConnectorFailed(told, kind="permanent")
    return transport


def _signed_in(link: Link, transport: paramiko.Transport) -> None:
    user = str(link.secrets["user"])
    try:
        if link.secrets.get("private_key"):
            transport.auth_publickey(user, _key(link))
        else:
            transport.auth_password(user, str(link.secrets["password"]))
    except paramiko.AuthenticationException as error:
        raise ConnectorFailed(f"{link.name} does not take our user", kind="permanent") from error


def _key(link: Link) -> paramiko.PKey:
    text, phrase = str(link.secrets["private_key"]), link.secrets.get("passphrase") or None
    for kind in _KEYS:
        try:
            return kind.from_private_key(io.StringIO(text), phrase)
        except (SSHException, ValueError):
            continue
    raise ConnectorFailed(f"{link.name}: the private key cannot be read with that passphrase", kind="permanent")
