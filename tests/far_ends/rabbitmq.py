"""A real RabbitMQ node on free ports, gone with the test run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest

from tests.machines import found, free_port, lend, wait_until


def program() -> str:
    """The path of the server; skips, in words, where it is missing."""
    path = found("rabbitmq-server")
    if path is None:
        pytest.skip("RabbitMQ is not installed; Debian's package rabbitmq-server has it (tools/test-machine)")
    return path


@contextmanager
def running(folder: Path) -> Iterator[int]:
    """Starts a node with its data under `folder`; yields its port. Debian's script runs as its own user, so root lends it the folder."""
    # Debian's /usr/sbin/rabbitmq-server is a wrapper that insists on its own user; the script below it is the server itself
    script = next((str(path) for path in (Path("/usr/lib/rabbitmq/bin/rabbitmq-server"),) if path.exists()), program())
    port, distribution = free_port(), free_port()
    name = f"t{uuid4().hex[:8]}@localhost"
    environment = {
        "PATH": f"{os.environ['PATH']}:/usr/sbin", "HOME": str(folder), "RABBITMQ_NODENAME": name, "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port), "RABBITMQ_DIST_PORT": str(distribution), "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"), "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"), "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_CONFIG_FILE": str(folder / "none"), "RABBITMQ_CONF_ENV_FILE": str(folder / "none-env"), "LANG": "C.UTF-8",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}", "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(free_port()),
    }  # fmt: skip
    (folder / "plugins").write_text("[].")
    user = lend(folder, "rabbitmq") if os.geteuid() == 0 else None
    with (folder / "out").open("wb") as log:
        process = subprocess.Popen([script], env=environment, stdout=log, stderr=log, cwd=folder, user=user, start_new_session=True)
    try:
        wait_until(lambda: _listens(port) or process.poll() is not None, "RabbitMQ", 60)
        assert process.poll() is None, (folder / "out").read_text()[-2000:]
        yield port
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        process.wait(30)
        epmd = shutil.which("epmd")
        if epmd:
            subprocess.run([epmd, "-port", environment["ERL_EPMD_PORT"], "-kill"], capture_output=True, check=False)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
