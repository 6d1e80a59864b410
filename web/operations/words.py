"""What the engine says about operations, in the reader's language. An unknown message stays as it is."""

from __future__ import annotations

import re
from collections.abc import Callable

from flask_babel import gettext

from engine.models.elements import ProcessModel
from web.i18n import language

Say = Callable[[dict[str, str]], str]

SAID: tuple[tuple[str, Say], ...] = (
    (r"(?P<step>.+) would wait for ever for a token.*", lambda g: gettext("%(step)s would wait for ever for a token that can no longer come.", **g)),
    (r"It would fail at once: (?P<why>.+)", lambda g: gettext("It would fail at once: %(why)s", **g)),
    (r"It is the last one here.*", lambda _: gettext("It is the last one here: nothing would go on. Move it, or cancel what is around it.")),
    (r"This token is part of another.*", lambda _: gettext("This token is part of another one: move that one instead.")),
    (r"(?P<step>.+) lies on another level than the token\.", lambda g: gettext("%(step)s lies on another level than the token.", **g)),
    (r"(?P<step>.+) begins by itself when its event happens\.", lambda g: gettext("%(step)s begins by itself when its event happens.", **g)),
    (r"(?P<step>.+) joins several paths: .*", lambda g: gettext("%(step)s joins several paths: choose an element before or after it.", **g)),
    (r"That element is in no scope that runs now\.", lambda _: gettext("That element is in no part that runs now.")),
    (r"(?P<step>.+) is no earlier step here.*", lambda g: gettext("%(step)s is no earlier step here.", **g)),
    (r"This step is over\.", lambda _: gettext("This step is over.")),
    (r"This scope is over\.", lambda _: gettext("This part is over.")),
    (r"The instance is suspended.*", lambda _: gettext("It is paused: let it go on first.")),
    (r"The instance is (?P<state>completed|cancelled).*", lambda _: gettext("It has ended.")),
    (r"The instance is running\.", lambda _: gettext("It is under way already.")),
    (r"Another system is being asked there.*", lambda _: gettext("Another system is being asked there just now: wait for its answer.")),
    (r"The job does not wait for its time\.", lambda _: gettext("The job does not wait for its time.")),
    (r"The job is \w+, not failed\.", lambda _: gettext("The job has been dealt with already.")),
    (r"The incident is resolved already\.", lambda _: gettext("The incident has been dealt with already.")),
    # verdicts of a migration
    (r"(?P<step>.+): the new version does not have it\.", lambda g: gettext("%(step)s: the new version does not have it.", **g)),
    (r"(?P<step>.+): it was a (?P<old>\w+) and is a (?P<new>\w+)\.", lambda g: gettext("%(step)s: it was a %(old)s and is a %(new)s.", **g)),
    (r"(?P<step>.+): it lies on another level\.", lambda g: gettext("%(step)s: it lies on another level.", **g)),
    (r"(?P<step>.+): it is attached to another activity\.", lambda g: gettext("%(step)s: it is attached to another activity.", **g)),
    (r"(?P<step>.+): it is repeated in another way\.", lambda g: gettext("%(step)s: it is repeated in another way.", **g)),
    (r"(?P<step>.+): it interrupts differently\.", lambda g: gettext("%(step)s: it interrupts differently.", **g)),
    (r"(?P<step>.+): it does its work in another way\.", lambda g: gettext("%(step)s: it does its work in another way.", **g)),
    (r"(?P<step>.+): it waits for (events of another kind|other events)\.", lambda g: gettext("%(step)s: it waits for other events.", **g)),
    (r"(?P<step>.+): a token waits there that came by .+", lambda g: gettext("%(step)s: a token waits there that came by a flow which is gone.", **g)),
    (r"(?P<step>.+) may have to be undone, and .+", lambda g: gettext("%(step)s may have to be undone, and the new version does not have it.", **g)),
    (r"It is (?P<state>\w+); only a running instance is migrated\.", lambda _: gettext("It is not under way; only what is under way is moved.")),
    (r"It runs version (?P<n>\d+) already\.", lambda g: gettext("It runs version %(n)s already.", **g)),
    (r"(?P<step>.+) listens no more\.", lambda g: gettext("%(step)s listens no more.", **g)),
    (r"(?P<step>.+) goes on at (?P<at>\S+)\.", lambda g: gettext("%(step)s goes on at %(at)s.", **g)),
    (r"(?P<step>.+) listens from now on\.", lambda g: gettext("%(step)s listens from now on.", **g)),
    (r"(?P<step>.+) can begin from now on\.", lambda g: gettext("%(step)s can begin from now on.", **g)),
    (r"(?P<step>.+) waits anew; a timer starts again\.", lambda g: gettext("%(step)s waits anew; a timer starts again.", **g)),
)  # fmt: skip
_KNOWN = [(re.compile(pattern, re.DOTALL), say) for pattern, say in SAID]


def in_words(message: str, model: ProcessModel | None = None) -> str:
    """The engine's message in the reader's language, line by line; steps of `model` by their names in it."""
    return "\n".join(_line(_named(line, model)) for line in message.splitlines())


def _named(line: str, model: ProcessModel | None) -> str:
    found = re.match(r"(?P<name>.+?) \((?P<id>[\w.-]+)\)", line)
    element = model.elements.get(found["id"]) if found and model else None
    return line if found is None or element is None else f"{element.label(language())} ({element.id}){line[found.end() :]}"


def _line(line: str) -> str:
    for pattern, say in _KNOWN:
        if (found := pattern.fullmatch(line)) is not None:
            return say({key: value for key, value in found.groupdict().items() if value is not None})
    return line
