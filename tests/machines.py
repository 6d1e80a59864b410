"""Real servers that tests start for themselves, on free ports and throw-away folders."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import psycopg

CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def found(*programs: str) -> str | None:
    """The path of the first of these programs that the machine has."""
    path = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"
    return next((place for name in programs if (place := shutil.which(name, path=path))), None)


def postgres_bin() -> Path | None:
    """The folder of PostgreSQL's server programs; Debian keeps them off PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if Path("/usr/lib/postgresql").exists() else []
    on_path = found("postgres")
    return folders[-1] if folders else Path(on_path).parent if on_path else None


def free_port() -> int:
    """A TCP port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(ready: Callable[[], object], what: str, seconds: float = 20) -> None:
    """Returns as soon as `ready()` is truthy; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if ready():
            return
        time.sleep(0.05)
    raise TimeoutError(f"{what} was not ready after {seconds:g} s")


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL server; yields its SQLAlchemy URL up to the database name. Refuses to run as root, so root lends it a user."""
    programs = postgres_bin()
    assert programs is not None
    port = free_port()
    data = folder / "data"
    data.mkdir()
    user = lend(data, "postgres") if os.geteuid() == 0 else None
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "carelane", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
        check=True,
        user=user,
        capture_output=True,
        cwd="/",
    )
    options = ["-c", f"unix_socket_directories={data}", "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([programs / "postgres", "-D", data, "-p", str(port), *options], user=user, stdout=log, stderr=log, cwd="/")
    try:
        wait_until(lambda: _answers(f"postgresql://carelane@127.0.0.1:{port}/postgres"), "PostgreSQL")
        yield f"postgresql+psycopg://carelane@127.0.0.1:{port}"
    finally:
        server.send_signal(2)  # fast shutdown
        server.wait(20)


def lend(folder: Path, name: str) -> int:
    """Gives a folder to the user of that name, for servers that refuse to run as root; returns the user's number."""
    user = pwd.getpwnam(name)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid)
    # Temporary folders are private to root; their parents need to let the server through, not to show what is inside.
    for parent in folder.parents:
        if parent.owner() == "root" and parent != Path("/") and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    return user.pw_uid


def _answers(url: str) -> bool:
    with suppress(psycopg.OperationalError):
        psycopg.connect(url, connect_timeout=2).close()
        return True
    return False


@contextmanager
def postgres_database(server: str) -> Iterator[str]:
    """An empty database on that server."""
    name = f"t{uuid4().hex[:12]}"
    admin = server.replace("+psycopg", "") + "/postgres"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield f"{server}/{name}"
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """A Redis server that keeps nothing on disk."""
    program = found("redis-server")
    assert program is not None
    port = free_port()
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
    server = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL)

    def listens() -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    try:
        wait_until(listens, "Redis")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait(20)
