"""`python -m integrations.simulators`: the simulated far ends as a process of their own."""

from __future__ import annotations

import signal
import threading

from engine.settings import Settings
from integrations.simulators import run

stop = threading.Event()
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: stop.set())
run(Settings.from_env(), stop)
