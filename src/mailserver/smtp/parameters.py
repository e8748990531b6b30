"""The parameters of MAIL and RCPT.

Spec: RFC 5321 §4.1.1.11, §4.1.2; RFC 1870 §6; RFC 6152 §3; RFC 6531 §3.4; RFC 4954 §5.  Status: complete.
"""

import re
from dataclasses import dataclass

from mailserver.smtp import replies
from mailserver.smtp.reply import Reply

_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([\x21-\x3c\x3e-\x7e]+))?")
_XTEXT = re.compile(r"(?:[\x21-\x2a\x2c-\x3c\x3e-\x7e]|\+[0-9A-F]{2})+")
_SIZE = re.compile(r"[0-9]{1,20}")
BODIES = frozenset({"7BIT", "8BITMIME"})


@dataclass(frozen=True, slots=True)
class MailParameters:
    """What MAIL said besides the sender."""

    size: int | None = None
    body: str | None = None
    smtputf8: bool = False


def mail(text: str, *, is_submission: bool) -> MailParameters | Reply:
    """The parameters in *text*, or the refusal they deserve.

    AUTH=, which a server that offers AUTH has to take, is checked and forgotten: a client may always be treated as not
    trusted to assert it (RFC 4954 §5).
    """
    pairs = _pairs(text)
    if isinstance(pairs, Reply):
        return pairs
    size: int | None = None
    body: str | None = None
    smtputf8 = False
    for keyword, value in pairs.items():
        if keyword == "SIZE" and value is not None and _SIZE.fullmatch(value):
            size = int(value)
        elif keyword == "BODY" and value is not None and value.upper() in BODIES:
            body = value.upper()
        elif keyword == "SMTPUTF8" and value is None:
            smtputf8 = True
        elif keyword == "AUTH" and is_submission and value is not None and _XTEXT.fullmatch(value):
            pass
        elif keyword in {"SIZE", "BODY", "SMTPUTF8"} or (keyword == "AUTH" and is_submission):
            return replies.BAD_PARAMETER
        else:
            return replies.UNKNOWN_PARAMETER
    return MailParameters(size, body, smtputf8)


def recipient(text: str) -> Reply | None:
    """The refusal that the parameters in *text* deserve: RCPT has none here."""
    pairs = _pairs(text)
    if isinstance(pairs, Reply):
        return pairs
    return replies.UNKNOWN_PARAMETER if pairs else None


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
