"""Notifications that scripts send by mail: which message causes one, and how it looks.

Spec: RFC 5435 §3; RFC 5436 §2.  Status: complete.
Deviates: RFC 5435 §7: a message that a script refuses as well notifies nobody: it was never here.
"""

from mailserver.mime import compose
from mailserver.mta.trace import date_time
from mailserver.sieve.actions import Notify
from mailserver.sieve.addresses import one_mailbox
from mailserver.sieve.message import Message
from mailserver.smtp.address import Address

HOUR_S = 3_600
MEMORY = "notify "  #: how keys begin under which notifications are remembered
_SUBJECT_SIZE = 500  # characters
_VALUE_SIZE = 500  # of any other field that the script gives
_BODY_SIZE = 10_000
_URGENT = {1: ("1 (Highest)", "high"), 3: ("5 (Lowest)", "low")}


def why_not(message: Message) -> str:
    """Why nobody is notified of *message*; "" if somebody may be (RFC 5436 §2.7)."""
    for value in message.values("auto-submitted"):
        if value.lower().split(";")[0].strip() != "no":
            return "it was sent by a program (Auto-Submitted)"
    return ""


def compose_notification(
    notify: Notify, message: Message, own: Address, name: str, *, id: str, now: int
) -> bytes:
    """The notification, with its header (RFC 5436 §2.7).

    own, name: the account's address and the user's name.      id: a token that no other message has.
    """
    by = one_mailbox(notify.sender)
    author = notify.sender if by is not None else compose.mailbox(name, str(own))
    owner = str(own).replace("\\", "\\\\").replace('"', '\\"')
    header = [
        ("Auto-Submitted", f'auto-notified; owner-email="{owner}"'),
        ("From", compose.one_line(author)),
        ("To", ", ".join(notify.mail.to)),
        ("Cc", ", ".join(notify.mail.cc)),
        ("Subject", _text(_subject(notify, message), _SUBJECT_SIZE)),
        ("Date", date_time(now)),
        ("Message-ID", f"<{id}@{own.domain}>"),
        ("References", " ".join(message.ids("message-id")[-1:])),
    ]
    if notify.importance in _URGENT:
        priority, importance = _URGENT[notify.importance]
        header += [("X-Priority", priority), ("Importance", importance)]
    header += [(field, _text(value, _VALUE_SIZE)) for field, value in notify.mail.fields]
    head = b"".join(compose.field(field, value) for field, value in header if value)
    body = notify.mail.body
    text = _default(notify, message, own) if body is None else body[:_BODY_SIZE]
    return head + b"MIME-Version: 1.0\r\n" + compose.text_part(text)


def _subject(notify: Notify, message: Message) -> str:
    if notify.message is not None:
        return notify.message
    if notify.mail.subject is not None:
        return notify.mail.subject
    return next(iter(message.values("subject")), "") or "New mail"


def _default(notify: Notify, message: Message, own: Address) -> str:
    """Says whose mail it is, and, unless the script chose its words, from whom and about what (RFC 5435 §3.6)."""
    lines = [f"There is new mail for {own}."]
    if notify.message is None and notify.mail.subject is None:
        for title in ("From", "Subject"):
            value = next(iter(message.values(title.lower())), "")
            lines.append(f"{title}: {compose.one_line(value)[:_SUBJECT_SIZE]}")
    return "\r\n".join(lines)


def _text(value: str, most: int) -> str:
    return compose.encode_text(compose.one_line(value)[:most])
