"""Words for the codes of connections and messages."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext

STATES: dict[str, tuple[Any, str]] = {  # words, kind of badge
    "queued": (lazy_gettext("waits to be sent"), "info"),
    "sending": (lazy_gettext("being sent"), "info"),
    "answered": (lazy_gettext("answered"), "good"),
    "failed": (lazy_gettext("failed, tried again"), "warning"),
    "unknown": (lazy_gettext("outcome unknown"), "bad"),
    "refused": (lazy_gettext("refused"), "bad"),
    "stored": (lazy_gettext("stored, not placed yet"), "info"),
    "matched": (lazy_gettext("handed on"), "good"),
    "unmatched": (lazy_gettext("on the work list"), "warning"),
    "duplicate": (lazy_gettext("repeat, nothing done"), ""),
    "ignored": (lazy_gettext("noted only"), ""),
}
DIRECTIONS = {"in": lazy_gettext("in"), "out": lazy_gettext("out"), "both": lazy_gettext("both ways")}
STAGES = {
    "raw": lazy_gettext("As it came in"),
    "mapped": lazy_gettext("Mapped"),
    "sent": lazy_gettext("Sent"),
    "answer": lazy_gettext("Answer"),
}
REASONS = {
    "unreadable": lazy_gettext("cannot be read"),
    "no_mapping": lazy_gettext("nothing here receives this kind"),
    "no_order": lazy_gettext("names no order"),
    "unknown_order": lazy_gettext("names an order that we never sent"),
    "other_patient": lazy_gettext("is about another patient than its order"),
    "control_reused": lazy_gettext("its number was used for something else"),
    "other_amount": lazy_gettext("another amount than the order’s"),
    "unknown_patient": lazy_gettext("its patient is not known"),
    "failed": lazy_gettext("could not be handed on"),
}
ACTIONS = {"retry": lazy_gettext("Tried again"), "replay": lazy_gettext("Replayed"), "edit": lazy_gettext("Corrected and replayed")}
OUTCOMES = {**{code: words for code, (words, _) in STATES.items()}, "queued": lazy_gettext("under way")}
CIRCUITS = {"closed": lazy_gettext("normal"), "open": lazy_gettext("open: sending rests"), "half-open": lazy_gettext("one call tries")}
ALARMS = {
    "failing": lazy_gettext("still failing after %(n)s min"),
    "queue": lazy_gettext("oldest has waited for %(n)s min"),
    "circuit": lazy_gettext("circuit open for %(n)s min"),
    "certificate": lazy_gettext("certificate ends in %(n)s days"),
    "expired": lazy_gettext("certificate has ended"),
}
CHANGES = {
    "added": lazy_gettext("added"),
    "edited": lazy_gettext("edited"),
    "started": lazy_gettext("started"),
    "stopped": lazy_gettext("stopped"),
    "purged": lazy_gettext("old payloads deleted"),
}
FIELDS = {
    "host": lazy_gettext("Host"),
    "port": lazy_gettext("Port"),
    "url": lazy_gettext("Address (URL)"),
    "path": lazy_gettext("Path"),
    "prefix": lazy_gettext("Path prefix"),
    "timeout": lazy_gettext("Waits for an answer, seconds"),
    "idempotent": lazy_gettext("It recognises a message that it has seen"),
    "application": lazy_gettext("Receiving application (MSH-5)"),
    "facility": lazy_gettext("Receiving facility (MSH-6)"),
    "tls": lazy_gettext("Secured by TLS"),
    "ca_file": lazy_gettext("File with its certificate authority"),
    "server_name": lazy_gettext("Name in its certificate"),
    "certificate_file": lazy_gettext("File with our certificate"),
    "key_file": lazy_gettext("File with our key"),
    "client_ca_file": lazy_gettext("File with the authority of its callers"),
    "client_certificate_file": lazy_gettext("File with our client certificate"),
    "client_key_file": lazy_gettext("File with our client key"),
    "sender": lazy_gettext("Sender’s address"),
    "notify_url": lazy_gettext("Where it notifies us"),
    "alert_minutes": lazy_gettext("Alert after minutes of failing or waiting"),
    "keep_days": lazy_gettext("Days that payloads are kept"),
    "direction": lazy_gettext("Direction"),
    "title": lazy_gettext("Titles"),
    "kind": lazy_gettext("Kind"),
}
WRONG = {
    "required": lazy_gettext("is needed"),
    "port": lazy_gettext("is a number from 1 to 65535"),
    "url": lazy_gettext("begins with http:// or https:// and holds no password"),
    "seconds": lazy_gettext("is a number of seconds, 300 at most"),
    "text": lazy_gettext("holds signs that cannot be printed"),
    "path": lazy_gettext("holds signs that cannot be printed"),
}
