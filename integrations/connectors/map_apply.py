"""Maps a message or record by a published mapping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.errors import ConnectorFailed
from integrations import runtime
from integrations.connector import Work, connector
from integrations.mappings import apply
from integrations.schema import about


@dataclass(frozen=True)
class Input:
    """What to map, and by what."""

    mapping: str = about("Mapping", "映射")
    message: Any = about("Message or record", "消息或记录", personal=True)  # noqa: RUF009  about() makes a field
    version: int | None = about("Version; empty for the newest", "版本，空为最新", default=None)
    strict: bool = about("Fail when a value finds no place", "有值无法映射时失败", default=True)


@dataclass(frozen=True)
class Output:
    """The clinic's own record."""

    record: Any = about("Record", "记录", personal=True)  # noqa: RUF009  about() makes a field
    version: int = about("Version that was used", "所用版本")
    problems: list[str] = about("Problems", "问题", default=[], personal=True)  # noqa: RUF009  about() makes a field


@connector("map.apply", title=("Map a message", "映射消息"), group=("General", "通用"), icon="gear")
def map_message(given: Input, work: Work) -> Output:
    """Turns an old system's message into the clinic's own record by a published mapping and its code tables.

    按已发布的字段映射和代码对照表，将外部系统的消息转换为本院的数据记录。
    """
    with runtime.reading() as session:
        mapped = apply.apply(session, given.mapping, given.message, given.version)
    problems = [problem.message for problem in mapped.problems]
    if mapped.value is None or (given.strict and not mapped.ok):
        raise ConnectorFailed(f"{given.mapping} v{mapped.version}: {'; '.join(problems)}", kind="permanent")
    return Output(mapped.value, mapped.version, problems)
