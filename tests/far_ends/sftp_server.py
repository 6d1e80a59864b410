"""A real SFTP server over a folder: paramiko's server side, with a host key of its own, taking a password and a key."""

from __future__ import annotations

import io
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko

USER, PASSWORD = "carelane", "p@ss wörd"


class _Handle(paramiko.SFTPHandle):
    def __init__(self, flags: int, file: Any) -> None:
        super().__init__(flags)
        self.readfile = self.writefile = file

    def stat(self) -> paramiko.SFTPAttributes:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


class _Files(paramiko.SFTPServerInterface):
    root: Path

    def __init__(self, server: Any, root: Path) -> None:
        super().__init__(server)
        self.root = root

    def _real(self, path: str) -> Path:
        return self.root / self.canonicalize(path).lstrip("/")

    def _do(self, act: Any) -> Any:
        try:
            return act()
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def list_folder(self, path: str) -> Any:
        def act() -> list[paramiko.SFTPAttributes]:
            return [paramiko.SFTPAttributes.from_stat(one.stat(), one.name) for one in self._real(path).iterdir()]

        return self._do(act)

    def stat(self, path: str) -> Any:
        return self._do(lambda: paramiko.SFTPAttributes.from_stat(self._real(path).stat()))

    lstat = stat

    def open(self, path: str, flags: int, attr: Any) -> Any:
        mode = "r+b" if flags & os.O_WRONLY or flags & os.O_RDWR else "rb"
        return self._do(lambda: _Handle(flags, os.fdopen(os.open(self._real(path), flags, 0o644), mode if mode == "rb" else "wb")))

    def remove(self, path: str) -> Any:
        return self._do(lambda: self._real(path).unlink() or paramiko.SFTP_OK)

    def rename(self, oldpath: str, newpath: str) -> Any:
        if self._real(newpath).exists():
            return paramiko.SFTP_FAILURE  # as the protocol has it: no name is taken over
        return self._do(lambda: (self._real(oldpath).rename(self._real(newpath)), paramiko.SFTP_OK)[1])

    def mkdir(self, path: str, attr: Any) -> Any:
        return self._do(lambda: self._real(path).mkdir() or paramiko.SFTP_OK)


class _Door(paramiko.ServerInterface):
    def __init__(self, end: SftpEnd) -> None:
        self.end = end

    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"

    def check_auth_password(self, username: str, password: str) -> int:
        return paramiko.AUTH_SUCCESSFUL if (username, password) == (USER, PASSWORD) else paramiko.AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return paramiko.AUTH_SUCCESSFUL if username == USER and key == self.end.client_key else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED


@dataclass
class SftpEnd:
    """The server: where it listens, its key, the key that it takes, and the folder that it shows."""

    root: Path
    port: int = 0
    host_key: paramiko.ECDSAKey = field(default_factory=paramiko.ECDSAKey.generate)
    client_key: paramiko.RSAKey = field(default_factory=lambda: paramiko.RSAKey.generate(2048))
    transports: list[paramiko.Transport] = field(default_factory=list)

    @property
    def known(self) -> str:
        """The host key as a line of known_hosts has it."""
        return f"{self.host_key.get_name()} {self.host_key.get_base64()}"

    @property
    def private(self) -> str:
        """The client's key as a file has it."""
        text = io.StringIO()
        self.client_key.write_private_key(text)
        return text.getvalue()

    def serve(self, listening: socket.socket) -> None:
        """Takes sessions until the socket is closed."""
        with suppress(OSError):
            while True:
                wire, _ = listening.accept()
                transport = paramiko.Transport(wire)
                transport.add_server_key(self.host_key)
                transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, self.root)
                self.transports.append(transport)
                transport.start_server(event=threading.Event(), server=_Door(self))  # with an event it does not wait for the client


@contextmanager
def running(root: Path) -> Iterator[SftpEnd]:
    """Serves `root` on a free port until the block ends."""
    listening = socket.create_server(("127.0.0.1", 0))
    end = SftpEnd(root, listening.getsockname()[1])
    thread = threading.Thread(target=end.serve, args=(listening,), daemon=True)
    thread.start()
    try:
        yield end
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for transport in end.transports:
            transport.close()
