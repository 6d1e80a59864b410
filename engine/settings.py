"""Settings, read once from the environment (`CARELANE_…`) and checked at start-up."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


class SettingsInvalid(ValueError):
    """A setting is missing or wrong."""


@dataclass(frozen=True)
class Settings:
    """All that an installation may decide. Each field is the variable `CARELANE_` + its name in capitals."""

    var_dir: Path = Path("var")  # everything that this installation writes: database, keys, files
    database_url: str = ""  # SQLAlchemy URL; empty: SQLite under var_dir
    secret_key: str = ""  # signs sessions and CSRF tokens; empty: made once under var_dir
    data_key: str = ""  # base64 of 32 bytes, encrypts patient data at rest; empty: made once under var_dir
    host: str = "127.0.0.1"  # address the web listens on
    port: int = 8000  # port the web listens on
    base_url: str = ""  # address that other systems reach us at; empty: http://host:port
    threads: int = 32  # threads of the web process
    clinic_zone: str = "Asia/Shanghai"  # IANA zone of the clinic's clocks
    language: str = "zh"  # language of a page when the user has chosen none: zh or en
    worker_threads: int = 4  # jobs that one worker runs at once
    lease_seconds: int = 30  # how long a claimed job belongs to its worker
    job_attempts: int = 5  # tries before a job becomes an incident, when the model does not say
    message_ttl_minutes: int = 1440  # how long an early message waits for its receiver
    feel_timeout_ms: int = 1000  # longest time one expression may take
    feel_memory_mb: int = 128  # most memory the expression isolate may take
    mllp_port: int = 2575  # port of the inbound HL7 v2 listener
    simulators: bool = False  # start the simulated far ends beside the worker
    oidc_issuer: str = ""  # OpenID Connect provider; empty: local accounts only
    oidc_client_id: str = ""  # our client id at that provider
    oidc_client_secret: str = ""  # our client secret at that provider
    session_idle_minutes: int = 15  # a signed-in session ends after this long without a request
    session_hours: int = 12  # and after this long in any case
    log_level: str = "INFO"  # DEBUG, INFO, WARNING or ERROR

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """Reads `CARELANE_*`; raises SettingsInvalid naming each variable that is wrong."""
        env = os.environ if env is None else env
        values: dict[str, Any] = {}
        wrong: list[str] = []
        for field in fields(cls):
            raw = env.get(f"CARELANE_{field.name.upper()}")
            if raw is None:
                continue
            try:
                values[field.name] = _read(str(field.type), raw)
            except ValueError as error:
                wrong.append(f"CARELANE_{field.name.upper()}={raw!r}: {error}")
        if wrong:
            raise SettingsInvalid("; ".join(wrong))
        return cls(**{**values, **overrides}).checked()

    def checked(self) -> Settings:
        """These settings, or SettingsInvalid saying what to mend."""
        try:
            ZoneInfo(self.clinic_zone)
        except ZoneInfoNotFoundError as error:
            raise SettingsInvalid(f"clinic_zone: {self.clinic_zone} is no IANA time zone") from error
        if self.language not in ("zh", "en"):
            raise SettingsInvalid(f"language: {self.language} is neither zh nor en")
        if self.data_key and len(base64.b64decode(self.data_key)) != 32:
            raise SettingsInvalid("data_key: must be base64 of exactly 32 bytes")
        return self

    @cached_property
    def url(self) -> str:
        """The database's SQLAlchemy URL."""
        return self.database_url or f"sqlite:///{(self.var_dir / 'carelane.db').resolve()}"

    @cached_property
    def public_url(self) -> str:
        """The address that browsers and far ends use."""
        return self.base_url or f"http://{self.host}:{self.port}"

    @cached_property
    def data_key_bytes(self) -> bytes:
        """The key for data at rest, made on first use."""
        return base64.b64decode(self.data_key or self._kept("data.key", lambda: base64.b64encode(secrets.token_bytes(32)).decode()))

    @cached_property
    def secret(self) -> str:
        """The key for signatures, made on first use."""
        return self.secret_key or self._kept("secret.key", lambda: secrets.token_urlsafe(48))

    def _kept(self, name: str, make: Any) -> str:
        path = self.var_dir / name
        self.var_dir.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text().strip()
        with os.fdopen(handle, "w") as file:
            file.write(made := str(make()))
        return made


def _read(kind: str, raw: str) -> Any:
    if kind == "int":
        return int(raw)
    if kind == "bool":
        if raw.lower() not in ("1", "0", "true", "false", "yes", "no"):
            raise ValueError("must be true or false")
        return raw.lower() in ("1", "true", "yes")
    return Path(raw) if kind == "Path" else raw
