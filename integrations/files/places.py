"""Where files lie: a folder of this machine or its network, or a directory of an SFTP server. Both can do the same few things."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import IO, TYPE_CHECKING, Any, Protocol

from engine.errors import ConnectorFailed
from integrations.connections.book import Link

if TYPE_CHECKING:
    import paramiko

PIECE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as it lies there."""

    name: str
    size: int
    changed: float  # seconds since 1970


class Place(Protocol):
    """One directory, reached. Names may hold folders below it, with slashes. Errors are OSError."""

    def entries(self, folder: str = "") -> list[Entry]:
        """The files in it, or in a folder of it, by name; folders are left out."""

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""

    def open(self, name: str) -> IO[bytes]:
        """A file to be read."""

    def write(self, name: str, content: bytes) -> None:
        """Writes a file to the end; its content is on the disk when this returns, as far as the far end lets us know."""

    def rename(self, name: str, to: str) -> None:
        """Gives a file another name in one step."""

    def remove(self, name: str) -> None:
        """Deletes a file."""

    def folder(self, name: str) -> None:
        """Makes a folder unless it is there."""


@contextmanager
def opened(link: Link) -> Iterator[Place]:
    """The directory of a connection. ConnectorFailed: permanent when it does not let us in, transient when it is not there."""
    if link.kind == "folder":
        root = Path(str(link.address["folder"]))
        if not root.is_dir():
            raise ConnectorFailed(f"{link.name}: there is no folder at that place", kind="transient")
        yield _Folder(root)
        return
    if link.kind != "sftp":
        raise ConnectorFailed(f"{link.name} is neither a folder nor SFTP", kind="permanent")
    from integrations.files import sftp  # paramiko takes half a second to load

    with sftp.connected(link) as client:
        yield _Remote(client, str(link.address.get("folder") or ".").rstrip("/") or "/")


class _Folder:
    def __init__(self, root: Path) -> None:
        self.root = root

    def entries(self, folder: str = "") -> list[Entry]:
        found = []
        for path in sorted((self.root / folder).iterdir()):
            try:
                seen = path.stat()
            except FileNotFoundError:  # it was taken away meanwhile
                continue
            if S_ISREG(seen.st_mode):
                found.append(Entry(path.name, seen.st_size, seen.st_mtime))
        return found

    def exists(self, name: str) -> bool:
        return (self.root / name).exists()

    def open(self, name: str) -> IO[bytes]:
        return (self.root / name).open("rb")

    def write(self, name: str, content: bytes) -> None:
        with (self.root / name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def rename(self, name: str, to: str) -> None:
        (self.root / name).rename(self.root / to)

    def remove(self, name: str) -> None:
        (self.root / name).unlink()

    def folder(self, name: str) -> None:
        (self.root / name).mkdir(exist_ok=True)


class _Remote:
    def __init__(self, client: paramiko.SFTPClient, root: str) -> None:
        self.client, self.root = client, root

    def entries(self, folder: str = "") -> list[Entry]:
        found = [
            Entry(one.filename, one.st_size or 0, float(one.st_mtime or 0))
            for one in self.client.listdir_attr(self._path(folder) if folder else self.root)
            if S_ISREG(one.st_mode or 0)
        ]
        return sorted(found, key=lambda entry: entry.name)

    def exists(self, name: str) -> bool:
        try:
            self.client.stat(self._path(name))
        except FileNotFoundError:
            return False
        return True

    def open(self, name: str) -> IO[bytes]:
        file: Any = self.client.open(self._path(name), "rb", bufsize=PIECE)
        file.prefetch()
        return file  # type: ignore[no-any-return]

    def write(self, name: str, content: bytes) -> None:
        with self.client.open(self._path(name), "wb") as file:
            file.set_pipelined(True)
            file.write(content)
        written = self.client.stat(self._path(name)).st_size
        if written != len(content):
            raise OSError(f"{written} of {len(content)} bytes arrived")

    def rename(self, name: str, to: str) -> None:
        self.client.rename(self._path(name), self._path(to))

    def remove(self, name: str) -> None:
        self.client.remove(self._path(name))

    def folder(self, name: str) -> None:
        try:
            self.client.mkdir(self._path(name))
        except OSError:
            self.client.listdir(self._path(name))  # it is there already, else this says what is wrong

    def _path(self, name: str) -> str:
        return f"{self.root.rstrip('/')}/{name}"
