"""The part of a notice that people read: who did not get it, why, what the other server said, what to do.

Spec: RFC 6522 §3; RFC 3464 §2.  Status: complete, in English.
"""

import textwrap
from collections.abc import Sequence

from mailserver.mime import compose
from mailserver.mta import delivery_status
from mailserver.mta.meanings import meaning
from mailserver.mta.notice import Kind, Original, Recipient
from mailserver.mta.trace import date_time

WIDTH = 72
MOST_GROUPS = 20  #: different reasons that are told; the machine part has all
MOST_ADDRESSES = 50  #: with one reason
MOST_LINES = 12  #: of one reply

_SUBJECTS = {
    Kind.FAILED: "Not delivered",
    Kind.DELAYED: "Not delivered yet",
    Kind.DELIVERED: "Delivered",
    Kind.RELAYED: "Passed on",
    Kind.EXPANDED: "Passed on",
}
_OPENINGS = {
    Kind.FAILED: "Your message could not be delivered to:",
    Kind.DELAYED: "Your message has not been delivered yet to:",
    Kind.DELIVERED: "Your message was delivered to:",
    Kind.RELAYED: "Your message was passed on to a mail server that confirms no deliveries, for:",
    Kind.EXPANDED: "Your message was delivered to an address that stands for several others:",
}
_OF_A_FORWARD = {
    Kind.FAILED: "A message that is forwarded for you could not be delivered to:",
    Kind.DELAYED: "A message that is forwarded for you has not been delivered yet to:",
}
_ENDINGS = {
    Kind.FAILED: "Nothing more is tried with this message.",
    Kind.DELIVERED: "It is in the mailbox; whether somebody has read it is not known.",
    Kind.RELAYED: "You may hear from that server if it cannot deliver the message after all.",
    Kind.EXPANDED: "They are not confirmed one by one.",
}


def subject(kind: Kind, of_original: str) -> str:
    """Says what it is before the original's subject does."""
    about = compose.one_line(of_original)[:200]
    return f"{_SUBJECTS[kind]}: {about}" if about else f"{_SUBJECTS[kind]}"


def text(
    kind: Kind,
    original: Original,
    recipients: Sequence[Recipient],
    *,
    hostname: str,
    is_owner: bool,
) -> str:
    """Paragraphs for the reader; is_owner: it is not the sender, but whose forward it is."""
    opening = (_OF_A_FORWARD if is_owner else _OPENINGS).get(kind, _OPENINGS[kind])
    paragraphs = [f"This is the mail server {hostname}.", opening]
    groups: dict[tuple[str, str, int, str, int | None], list[Recipient]] = {}
    for r in recipients:
        groups.setdefault((r.host, r.status, r.code, r.reply, r.retry_until), []).append(r)
    for alike in list(groups.values())[:MOST_GROUPS]:
        paragraphs += _group(kind, alike)
    if len(groups) > MOST_GROUPS:
        more = sum(len(alike) for alike in list(groups.values())[MOST_GROUPS:])
        paragraphs.append(f"And {more} more; the delivery report below has them all.")
    ending = _ENDINGS.get(kind)
    if ending is not None:
        paragraphs.append(ending)
    paragraphs.append(_which(original, is_owner))
    return "\n\n".join(map(_wrapped, paragraphs)) + "\n"


def _group(kind: Kind, alike: list[Recipient]) -> list[str]:
    """Recipients with whom the same happened."""
    shown = [f"    {compose.one_line(r.address)}" for r in alike[:MOST_ADDRESSES]]
    if len(alike) > MOST_ADDRESSES:
        shown.append(f"    and {len(alike) - MOST_ADDRESSES} more")
    first = alike[0]
    paragraphs = ["\n".join(shown)]
    if kind not in (Kind.FAILED, Kind.DELAYED):
        return paragraphs
    found = meaning(first.status)
    paragraphs.append(f"Reason: {found.what}")
    if first.reply or first.code:
        said = delivery_status.transcript(first.code, first.status, first.reply)
        where = compose.one_line(first.host)
        told = f"The server {where} answered:" if first.code and where else "In technical words:"
        paragraphs += [told, "\n".join(f"    {line[:400]}" for line in said[:MOST_LINES])]
    if kind is Kind.DELAYED:
        until = (
            f"It is tried again and again until {date_time(first.retry_until)}."
            if first.retry_until is not None
            else "It is tried again and again for some days."
        )
        paragraphs.append(f"{until} You need not do anything, and need not send it again.")
    else:
        if first.status.startswith("4."):
            paragraphs.append("This was tried several times, until the time for it was over.")
        if found.advice:
            paragraphs.append(f"What you can do: {found.advice}")
    return paragraphs


def _which(original: Original, is_owner: bool) -> str:
    subject = compose.one_line(original.subject)[:200]
    about = [f"    Subject: {subject}"] if subject else []
    if is_owner:
        about.append(f"    From:    {compose.one_line(original.sender)}")
    about.append(f"    Taken:   {date_time(original.arrived_at)}")
    about.append(f"    Number:  {original.trace}")
    return "\n".join(["The message:", *about])


def _wrapped(paragraph: str) -> str:
    """Lines that begin with a blank, and lists of them, stay as they are."""
    if "\n" in paragraph or paragraph.startswith(" "):
        return paragraph
    return textwrap.fill(paragraph, WIDTH, break_long_words=False, break_on_hyphens=False)
