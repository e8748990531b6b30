"""Answers that tell of an absence: who gets one, and how it looks.

Spec: RFC 5230 §4, §5; RFC 3834 §2 - §5; RFC 6131.  Status: complete.
"""

import re
from collections.abc import Collection
from hashlib import sha256

from mailserver.mime import compose
from mailserver.mta.trace import date_time
from mailserver.sieve.actions import Vacation
from mailserver.sieve.addresses import one_mailbox
from mailserver.sieve.message import Message
from mailserver.smtp.address import Address

_NOBODY = re.compile(
    r"(?:mailer-daemon|postmaster|listserv|majordomo|no-?reply|do-?not-?reply|bounces?)\b|owner-|.*-(?:request|relay|owner)$",
    re.IGNORECASE,
)
_LISTS = ("list-id", "list-help", "list-subscribe", "list-unsubscribe", "list-post", "list-owner")
_TO = ("to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc")
_SUBJECT_SIZE = 200  # characters of the original's subject


def why_not(
    answer: Vacation, message: Message, sender: Address | None, own: Collection[str]
) -> str:
    """Why nobody is answered; "" if *sender* is.

    own: addresses of the account in lower case, beside those that the script names (RFC 5230 §4.5).
    """
    if sender is None or not sender.localpart or not sender.domain:
        return "it has no sender to answer to"
    if str(sender).lower() in own:
        return "it is from the user himself"
    if _NOBODY.match(sender.localpart):
        return "its sender is a program"
    if any(
        value.lower().split(";")[0].strip() != "no" for value in message.values("auto-submitted")
    ):
        return "it was sent by a program (Auto-Submitted)"
    if any(message.values(name) for name in _LISTS):
        return "it is from a mailing list"
    if any(v.lower() in ("bulk", "list", "junk") for v in message.values("precedence")):
        return "it is bulk mail (Precedence)"
    if any(
        "oof" in v.lower() or "all" in v.lower() for v in message.values("x-auto-response-suppress")
    ):
        return "it wants no answer (X-Auto-Response-Suppress)"
    his = {*own, *(address.lower() for address in answer.addresses)}
    named = {
        mailbox.whole.lower()
        for name in _TO
        for field in message.addresses(name)
        for mailbox in field
    }
    if not his & named:
        return "it is not addressed to the user (To, Cc, Bcc)"
    return ""


def key(answer: Vacation, sender: Address) -> str:
    """Under which it is remembered that *sender* got this answer (RFC 5230 §4.2)."""
    return sha256(f"vacation\0{answer.handle}\0{str(sender).lower()}".encode()).hexdigest()


def compose_answer(
    answer: Vacation,
    message: Message,
    sender: Address,
    own: Address,
    name: str,
    *,
    id: str,
    now: int,
) -> bytes:
    """The answer, with its header (RFC 5230 §5; RFC 3834 §3).

    own, name: the account's address and the user's name.      id: a token that no other message has.
    """
    by = one_mailbox(answer.sender)
    author = answer.sender if by is not None else compose.mailbox(name, str(own))
    subject = answer.subject or _subject(message)
    about = message.ids("message-id")[-1:]
    header = [
        ("From", compose.one_line(author)),
        ("To", str(sender)),
        ("Subject", compose.encode_text(compose.one_line(subject))),
        ("Date", date_time(now)),
        ("Message-ID", f"<{id}@{own.domain}>"),
        ("Auto-Submitted", "auto-replied (vacation)"),
        ("Precedence", "bulk"),
    ]
    if about:
        references = [*(message.ids("references") or message.ids("in-reply-to")), *about]
        header += [("In-Reply-To", about[0]), ("References", " ".join(references[-20:]))]
    head = (
        b"".join(compose.field(field, value) for field, value in header) + b"MIME-Version: 1.0\r\n"
    )
    if answer.is_mime:
        return head + _entity(answer.reason)
    return head + compose.text_part(answer.reason)


def _subject(message: Message) -> str:
    """RFC 5230 §5.2."""
    original = (message.values("subject") or [""])[0]
    return f"Auto: {original[:_SUBJECT_SIZE]}" if original else "Automated reply"


def _entity(reason: str) -> bytes:
    """What the script wrote as a MIME entity; without a header of its own it is text."""
    data = reason.encode("utf-8", "replace")
    head, _, _ = data.partition(b"\r\n\r\n")
    if re.match(
        rb"(?:Content-[!-9;-~]+:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*(?:\r\n|\Z))+\Z", head, re.IGNORECASE
    ):
        return data
    return compose.text_part(reason)
