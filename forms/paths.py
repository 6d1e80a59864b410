"""Reading and writing nested values by path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Final


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = _Missing()
"""What ``dig`` gives for a path that is not there; unlike None, which a person can submit."""


def dig(data: object, path: Sequence[str]) -> object:
    """Give the value at a path, or MISSING. A dotted key written flat (``{"patient.name": …}``) is found too."""
    if not path:
        return data
    if not isinstance(data, Mapping):
        return MISSING
    flat = ".".join(path)
    if flat in data:
        return data[flat]
    return dig(data[path[0]], path[1:]) if path[0] in data else MISSING


def put(data: MutableMapping[str, object], path: Sequence[str], value: object) -> None:
    """Set the value at a path, making the objects on the way."""
    for part in path[:-1]:
        inner = data.get(part)
        if not isinstance(inner, dict):
            inner = data[part] = {}
        data = inner
    data[path[-1]] = value


def merge(under: object, over: Mapping[str, object]) -> dict[str, object]:
    """Lay one tree of values over another; objects merge, everything else replaces."""
    result: dict[str, object] = dict(under) if isinstance(under, Mapping) else {}
    for key, value in over.items():
        result[key] = merge(result.get(key), value) if isinstance(value, Mapping) else value
    return result


def is_empty(value: object) -> bool:
    """Whether a person gave nothing here: null, blank text, nothing chosen, not ticked."""
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, Mapping):
        return all(is_empty(inner) for inner in value.values())
    if isinstance(value, list | tuple):
        return all(is_empty(inner) for inner in value)
    return value is None or value is False or value is MISSING


def leaves(data: Mapping[str, object], known: frozenset[str], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield (dotted path, value), stopping at paths in ``known`` and at everything that is not an object."""
    for key, value in data.items():
        path = prefix + str(key)
        deeper = any(name.startswith(path + ".") for name in known)
        if path not in known and deeper and isinstance(value, Mapping):
            yield from leaves(value, known, path + ".")
        else:
            yield path, value
