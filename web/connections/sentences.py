"""What the integrations say of messages and connections, in the reader's language.

The log keeps their sentences in English; the parts in %(…)s are found in a sentence and put into the other language's. What a far end
says itself stays as it said it.
"""

from __future__ import annotations

import re
from typing import Any

from flask_babel import lazy_gettext

from web.governance.words import worded_problem
from web.i18n import in_words

_SENTENCES: tuple[Any, ...] = (
    lazy_gettext("It holds no OBR segment, so it is about no order."),
    lazy_gettext("It names no placer order (ORC-2, OBR-2), so nobody waits for it ()."),
    lazy_gettext("It has no %(field)s, so nobody waits for it"),
    lazy_gettext("We sent no such order (%(number)s)"),
    lazy_gettext("We sent no such referral (%(number)s)"),
    lazy_gettext("We sent no such order or referral (%(number)s)"),
    lazy_gettext("We opened no payment %(number)s"),
    lazy_gettext("It names no order or referral of ours, and no process begins with %(name)s (%(number)s)"),
    lazy_gettext("Its patient is not the one that the order was made for (%(number)s)"),
    lazy_gettext("Its patient is not the one that was referred (%(number)s)"),
    lazy_gettext("It was sent to %(name)s, not to %(other)s (%(number)s)"),
    lazy_gettext("The sender says that it was entered in error (%(number)s)"),
    lazy_gettext("The process took an earlier message about it and waits no longer; this one is %(status)s (%(number)s)"),
    lazy_gettext("No process begins with %(name)s or waits for it (%(number)s)"),
    lazy_gettext("No process begins with %(name)s (%(number)s)"),
    lazy_gettext("There is no mapping for %(kind)s."),
    lazy_gettext("There is no mapping for a message without a type."),
    lazy_gettext("The connection names a mapping that is not published (%(name)s)"),
    lazy_gettext("%(name)s v%(version)s: it holds several records, one is expected"),
    lazy_gettext("The sender used this message id before for other content."),
    lazy_gettext("It could not be handed on: %(why)s"),
    lazy_gettext("It waits to be placed."),
    lazy_gettext("It has no PID segment."),
    lazy_gettext("It has no SCH segment."),
    lazy_gettext("A new patient needs a name (PID-5)."),
    lazy_gettext("Nobody has these numbers; the best of %(n)s candidates by name and birth date is %(grade)s"),
    lazy_gettext("Nobody here has these numbers or resembles this patient"),
    lazy_gettext("Nobody here has the numbers in %(where)s, so nothing was merged"),
    lazy_gettext("A merge needs PID and MRG; %(name)s is missing."),
    lazy_gettext("It names no appointment (SCH-1, SCH-2)."),
    lazy_gettext("It does not say when (SCH-11, TQ1-7, AIL-6, AIS-4)."),
    lazy_gettext("It names no referral (RF1-6)."),
    lazy_gettext("It does not begin with an MSH segment."),
    lazy_gettext("Its MSH segment is too short to name the encoding characters."),
    lazy_gettext("It cannot be parsed: %(why)s"),
    lazy_gettext("It came outside a frame and is no HL7 v2 message."),
    lazy_gettext("It ended before its frame did, so it may be incomplete; it was not acknowledged, and the sender will send it again."),
    lazy_gettext("It is larger than a message may be; only its beginning was kept."),
    lazy_gettext("It is no JSON object."),
    lazy_gettext("It says %(amount)s, the order is over %(other)s %(currency)s"),
    lazy_gettext("%(number)s was paid by %(first)s already; this is %(second)s"),
    lazy_gettext("It gives back %(amount)s; %(left)s of the payment is left"),
    lazy_gettext("This is no HL7 message: %(why)s"),
    lazy_gettext("Say why; it is kept with the message."),
    lazy_gettext("That cannot be done with this message as it stands now."),
    lazy_gettext("The input of a call is a JSON object."),
    lazy_gettext("Its outcome is unknown: look in the other system first, and say that it did not happen there."),
    lazy_gettext("Its content was deleted after the connection's retention; ask the sender to send it again."),
    lazy_gettext("This message cannot be handed on again from here; ask the sender, or have the provider asked for the outcome."),
    lazy_gettext("This visit no longer waits for a message."),
    lazy_gettext("This message says nothing that a visit waiting for %(name)s can use."),
    lazy_gettext("%(who)s has already decided this message."),
    lazy_gettext("There is no such message."),
    lazy_gettext("The far end answered %(code)s: %(why)s"),
    lazy_gettext("The far end refused the message: %(why)s"),
    lazy_gettext("The answer is no HL7 acknowledgement. %(why)s"),
    lazy_gettext("The answer is about another message (%(number)s, not %(other)s)."),
    lazy_gettext("The connection %(name)s is stopped; the call waits until it is started."),
    lazy_gettext("The connection %(name)s does not say its %(field)s."),
    lazy_gettext("There is no connection %(name)s; an integration engineer must add it."),
    lazy_gettext("There is no test for a connection of kind %(kind)s."),
    lazy_gettext("%(name)s failed %(n)s times in a row; calls rest for up to %(s)s s."),
    lazy_gettext("%(place)s cannot be reached: %(why)s"),
    lazy_gettext("%(place)s took the message and gave no answer: %(why)s"),
    lazy_gettext("%(place)s closed the connection without an answer."),
    lazy_gettext("%(name)s gave no answer: %(why)s"),
    lazy_gettext("%(name)s answered %(code)s: %(why)s"),
    lazy_gettext("%(name)s is busy: %(code)s"),
    lazy_gettext("%(name)s: no access token: %(why)s"),
    lazy_gettext("%(name)s: there is no folder to write in at that place"),
    lazy_gettext("The sending was cut short, and nobody knows whether it arrived. Look in the other system, then replay it or leave it."),
    lazy_gettext("It cannot listen: %(why)s"),
    lazy_gettext("It answers."),
    lazy_gettext("The port answers."),
    lazy_gettext("We listen."),
    lazy_gettext("We serve the worklist."),
    lazy_gettext("It answers queries."),
    lazy_gettext("It answers the echo and takes our AE title."),
    lazy_gettext("It greets and takes our user."),
    lazy_gettext("It takes our user and opens a channel."),
    lazy_gettext("It knows the merchant and its signature."),
    lazy_gettext("It knows the application and its signature."),
    lazy_gettext("It knows the key."),
    lazy_gettext("The folder can be written."),
    lazy_gettext("It answers %(code)s: it does not take the credentials."),
    lazy_gettext("It answers %(code)s; whether it takes our signature shows with the first message."),
    lazy_gettext("It answers %(code)s."),
    lazy_gettext("It offers %(n)s operations: %(names)s"),
    lazy_gettext("It lets us in; %(n)s files lie there."),
    lazy_gettext("It waits at %(path)s; its mappings are published."),
)  # fmt: skip
_MAPPING = re.compile(r"([\w.-]+ v\d+): (.+)", re.DOTALL)


def said(text: str | None) -> str:
    """A sentence of the integrations in the reader's language; as it is where it is not ours."""
    if not text:
        return ""
    if (found := in_words(text, _SENTENCES)) is not None:
        return found
    if (named := _MAPPING.fullmatch(text)) is not None:
        return f"{named[1]}: {worded_problem(named[2])}"
    return text
