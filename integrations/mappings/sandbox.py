"""The process that evaluates JSONata, one line of JSON in, one out. It holds nothing but the expression and its data.

It is started by `bounded` as a plain script without the environment, so that an expression that eats time or memory is ended
with its process and takes nothing with it. Imports only the standard library and jsonata.
"""

import json
import re
import resource
import sys
import threading
from typing import Any

from jsonata import Jsonata
from jsonata.jexception import JException

MEMORY = 768 * 1024 * 1024
LONGEST_DEPTH = 300
_DATES = (
    re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?:(?P<h>\d{2})(?P<n>\d{2})(?P<s>\d{2})?(?:\.\d+)?(?P<z>[+-]\d{4})?)?"),
    re.compile(
        r"(?P<y>\d{4})[-/.年](?P<m>\d{1,2})[-/.月](?P<d>\d{1,2})日?"
        r"(?:[T ](?P<h>\d{1,2}):(?P<n>\d{2})(?::(?P<s>\d{2})(?:\.\d+)?)?(?P<z>Z|[+-]\d{2}:?\d{2})?)?"
    ),
)


class Failed(Exception):
    """A function of ours refuses; the message is for the person who wrote the mapping."""


class Run:
    """One evaluation: its code tables and what it noticed."""

    def __init__(self, tables: dict[str, Any]) -> None:
        self.tables = tables
        self.notes: list[dict[str, str]] = []

    def code(self, table: str, given: Any) -> Any:
        """$code(table, value): the dictionary's value for an old system's code."""
        return self._look(table, given, "code", "value")

    def uncode(self, table: str, given: Any) -> Any:
        """$uncode(table, value): the old system's code for a value of the dictionary."""
        return self._look(table, given, "value", "code")

    def date(self, given: Any) -> Any:
        """$date(text): ISO date or date and time of the usual old forms; noted and null where it is none."""
        if given in (None, ""):
            return None
        found = next((match for form in _DATES if (match := form.fullmatch(str(given).strip()))), None)
        if found is None:
            self.notes.append({"rule": "date", "place": "$date", "given": str(given)[:60]})
            return None
        part = found.groupdict()
        day = f"{part['y']}-{int(part['m']):02d}-{int(part['d']):02d}"
        if part["h"] is None:
            return day
        zone = re.sub(r"([+-]\d{2})(\d{2})$", r"\1:\2", part["z"] or "")
        return f"{day}T{int(part['h']):02d}:{part['n']}:{part['s'] or '00'}{zone}"

    def _look(self, name: str, given: Any, by: str, want: str) -> Any:
        table = self.tables.get(name)
        if table is None:
            raise Failed(f"There is no published code table {name!r}.")
        if given is None:
            return None
        text = str(given).strip()
        for row in table["rows"]:
            if str(row[by]) == text:
                return row[want]
        self.notes.append({"rule": "code", "place": f"${'code' if by == 'code' else 'uncode'}({name})", "given": text[:60]})
        return table.get("otherwise") if by == "code" else None


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Evaluates one request: {expression, data, tables, milliseconds}."""
    run = Run(request["tables"])
    if not request["expression"].strip():
        return {"error": "The mapping is empty.", "code": "empty", "at": None}
    try:
        program = Jsonata(request["expression"], timeout=request["milliseconds"], stack=LONGEST_DEPTH)
        for name, function in (("code", run.code), ("uncode", run.uncode), ("date", run.date)):
            program.register_lambda(name, function)
        if request.get("check"):
            return {"value": None, "notes": []}
        return {"value": json.loads(json.dumps(program.evaluate(request["data"]), default=_unplain)), "notes": run.notes}
    except JException as error:
        return {"error": str(error), "code": error.error, "at": _position(error)}
    except Failed as error:
        return {"error": str(error), "code": "table", "at": None}
    except (RecursionError, MemoryError):
        return {"error": "It needs too much memory or calls itself too deeply.", "code": "D1011", "at": None}
    except Exception as error:  # noqa: BLE001  whatever jsonata does with a strange expression is its author's to know
        return {"error": f"{type(error).__name__}: {error}", "code": "failed", "at": None}


def _position(error: JException) -> int | None:
    location = error.location
    return location if isinstance(location, int) and location >= 0 else None


def _unplain(value: Any) -> Any:
    raise Failed(f"The result holds {type(value).__name__}, which is no data: a function, perhaps, that was not called.")


def serve() -> None:
    """Answers line by line until its input ends."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(20_000)
    threading.stack_size(128 * 1024 * 1024)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    thread.join()
