"""The parameters of MAIL and RCPT.

Spec: RFC 5321 §4.1.1.11, §4.1.2; RFC 1870 §6; RFC 6152 §3; RFC 6531 §3.4; RFC 4954 §5; RFC 3461 §4; RFC 6533 §3;
RFC 8689 §2, §5; RFC 4865 §4.  Status: complete.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from mailserver.base.errors import PeerError
from mailserver.smtp import replies, xtext
from mailserver.smtp.reply import Reply

_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=((?:[\x21-\x3c\x3e-\x7e]|[^\x00-\x7f])+))?")
_SIZE = re.compile(r"[0-9]{1,20}")
_SECONDS = re.compile(r"[0-9]{1,9}")
_DATE_TIME = re.compile(  # RFC 3339 §5.6; RFC 4865 itself names no grammar
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)
ENVID_SIZE = 100  #: octets as written (RFC 3461 §4.4)
ORIGINAL_SIZE = 500  #: octets as written (RFC 3461 §4.2)
BODIES = frozenset({"7BIT", "8BITMIME"})
NOTIFY = ("SUCCESS", "FAILURE", "DELAY")


@dataclass(frozen=True, slots=True)
class Offer:
    """What MAIL may ask of this server beyond what every server gives.

    hold_s: the longest a message may be held back, in seconds; 0 where the client may not ask for it.
    """

    is_submission: bool = False
    is_tls: bool = False
    has_binary: bool = False
    hold_s: int = 0


@dataclass(slots=True)
class MailParameters:
    """What MAIL said besides the sender, as in `events.Mail`."""

    size: int | None = None
    body: str | None = None
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""
    require_tls: bool = False
    hold_until: int | None = None


@dataclass(slots=True)
class RecipientParameters:
    """What RCPT said besides the recipient, as in `events.Recipient`."""

    notify: str = ""
    original: str = ""


def mail(text: str, offer: Offer, now: int) -> MailParameters | Reply:
    """The parameters in *text*, or the refusal they deserve; now: UTC epoch seconds.

    AUTH=, which a server that offers AUTH has to take, is checked and forgotten: a client may always be treated as not
    trusted to assert it (RFC 4954 §5).
    """
    pairs = _pairs(text)
    if isinstance(pairs, Reply):
        return pairs
    said = MailParameters()
    for keyword, value in pairs.items():
        if keyword == "SIZE":
            if value is None or not _SIZE.fullmatch(value):
                return replies.BAD_PARAMETER
            said.size = int(value)
        elif keyword == "BODY":
            said.body = value.upper() if value else ""
            if said.body not in BODIES and not (said.body == "BINARYMIME" and offer.has_binary):
                return replies.BAD_PARAMETER
        elif keyword == "SMTPUTF8":
            if value is not None:
                return replies.BAD_PARAMETER
            said.smtputf8 = True
        elif (refusal := _rarely(said, keyword, value, offer, now)) is not None:
            return refusal
    if said.require_tls:
        said.ret = "HDRS"  # RFC 8689 §5: a bounce may not carry the content
    return said


def _rarely(
    said: MailParameters, keyword: str, value: str | None, offer: Offer, now: int
) -> Reply | None:
    """Takes a parameter that few clients use into *said*, or refuses it."""
    if keyword == "RET" and value and value.upper() in {"FULL", "HDRS"}:
        said.ret = value.upper()
    elif keyword == "ENVID" and value and len(value) <= ENVID_SIZE:
        try:
            said.envid = xtext.decode(value)
        except PeerError:
            return replies.BAD_PARAMETER
    elif keyword == "REQUIRETLS" and value is None:
        if not offer.is_tls:
            return replies.REQUIRETLS_WANTS_TLS
        said.require_tls = True
    elif keyword in {"HOLDFOR", "HOLDUNTIL"} and offer.hold_s:
        if said.hold_until is not None or value is None:
            return replies.BAD_PARAMETER  # both of them is an error, too (RFC 4865 §4.1)
        until = _for(value, now) if keyword == "HOLDFOR" else _until(value)
        if until is None:
            return replies.BAD_PARAMETER
        if until > now + offer.hold_s:
            return replies.TOO_LONG_TO_HOLD
        if until < now:
            return replies.RELEASE_IN_THE_PAST
        said.hold_until = until
    elif keyword == "AUTH" and offer.is_submission:
        return None if value is not None and xtext.is_xtext(value) else replies.BAD_PARAMETER
    elif keyword in {"RET", "ENVID", "REQUIRETLS"}:
        return replies.BAD_PARAMETER
    else:
        return replies.UNKNOWN_PARAMETER
    return None


def recipient(text: str, *, smtputf8: bool) -> RecipientParameters | Reply:
    """The parameters in *text*, or the refusal they deserve; smtputf8: MAIL has asked for it."""
    pairs = _pairs(text)
    if isinstance(pairs, Reply):
        return pairs
    said = RecipientParameters()
    for keyword, value in pairs.items():
        if keyword not in {"NOTIFY", "ORCPT"}:
            return replies.UNKNOWN_PARAMETER
        if value is None:
            return replies.BAD_PARAMETER
        if keyword == "NOTIFY":
            notify = _notify(value)
            if notify is None:
                return replies.BAD_PARAMETER
            said.notify = notify
            continue
        if not value.isascii() and not smtputf8:
            return replies.RECIPIENT_WANTS_SMTPUTF8
        try:
            if len(value.encode(errors="replace")) > ORIGINAL_SIZE:
                return replies.BAD_PARAMETER
            said.original = xtext.decode_original(value)
        except PeerError:
            return replies.BAD_PARAMETER
    return said


def _notify(value: str) -> str | None:
    """ "NEVER", or the words in one order, each once (RFC 3461 §4.1); None if it is neither."""
    words = value.upper().split(",")
    if words == ["NEVER"]:
        return "NEVER"
    if not all(word in NOTIFY for word in words):
        return None
    return ",".join(word for word in NOTIFY if word in words)


def _for(value: str, now: int) -> int | None:
    return now + int(value) if _SECONDS.fullmatch(value) else None


def _until(value: str) -> int | None:
    if not _DATE_TIME.fullmatch(value):
        return None
    try:
        return int(datetime.fromisoformat(value.upper()).timestamp())
    except (ValueError, OverflowError):
        return None


def _pairs(text: str) -> dict[str, str | None] | Reply:
    if not text:
        return {}
    if not text.startswith(" "):
        return replies.BAD_PARAMETER
    found: dict[str, str | None] = {}
    for word in filter(None, text.split(" ")):
        match = _PARAMETER.fullmatch(word)
        if not match or match[1].upper() in found:
            return replies.BAD_PARAMETER
        found[match[1].upper()] = match[2]
    return found
