"""What people set of their filters, and what is wrong with it.

Spec: RFC 5228 §2.4.2.3; RFC 5230 §4.  Status: complete.
"""

import datetime
from dataclasses import dataclass
from typing import Final

from mailserver.base.errors import Cannot
from mailserver.base.limits import SieveLimits
from mailserver.sieve.addresses import one_address
from mailserver.sieve.tagged import flag_names

FIELDS: Final = ("from", "to", "subject", "list-id")
MATCHES: Final = ("contains", "is")
BLOCKED: Final = ("junk", "trash", "discard", "reject")
TEXT_SIZE: Final = 10_000  #: characters of an auto-reply
VALUE_SIZE: Final = 1_000  #: characters of any other text


@dataclass(frozen=True, slots=True)
class Block:
    """What becomes of mail whose sender is in a list `block` and in none called `allow`.

    to: "junk" and "trash" are mailboxes, "discard" throws it away, "reject" tells its sender.
    """

    to: str = "junk"


@dataclass(frozen=True, slots=True)
class AutoReply:
    """An answer to whoever writes.

    first, last: the days between which it is given, as "2026-12-24"; "" for an open end.
    days:        one sender gets it once in so many.
    aliases:     further addresses of the user's, that To and Cc may name.
    only_contacts: it is given to senders in the default address book alone.
    """

    text: str
    subject: str = ""
    first: str = ""
    last: str = ""
    days: int = 7
    aliases: tuple[str, ...] = ()
    is_on: bool = True
    only_contacts: bool = False


@dataclass(frozen=True, slots=True)
class Forward:
    """Addresses that all mail is sent on to.  keeps_copy: the user has it, too."""

    to: tuple[str, ...]
    keeps_copy: bool = True


@dataclass(frozen=True, slots=True)
class Condition:
    """One of FIELDS contains the value, or is it; "to" is To and Cc."""

    field: str
    match: str
    value: str


@dataclass(frozen=True, slots=True)
class Rule:
    r"""What is done with mail for which all conditions are true, or any one.

    mailbox: where it goes, made if it is not there; "": it stays where it would go.
    flags:   it is given: "\\Seen", "\\Flagged", keywords.        stops: no further rule looks at it.
    """

    name: str
    conditions: tuple[Condition, ...]
    mailbox: str = ""
    flags: tuple[str, ...] = ()
    is_any: bool = False
    stops: bool = True
    is_on: bool = True


@dataclass(frozen=True, slots=True)
class Settings:
    """All of one account, in the order in which a message meets them.  Rules have different names."""

    block: Block | None = None
    auto_reply: AutoReply | None = None
    forward: Forward | None = None
    rules: tuple[Rule, ...] = ()


def check(settings: Settings, own: str, limits: SieveLimits) -> None:
    """Raises Cannot for what cannot be meant.  own: the account's address."""
    if settings.block is not None and settings.block.to not in BLOCKED:
        raise Cannot(f"Blocked mail goes to one of: {', '.join(BLOCKED)}.")
    if settings.auto_reply is not None:
        _check_reply(settings.auto_reply)
    if settings.forward is not None:
        _check_forward(settings.forward, own, limits)
    if len(settings.rules) > limits.rules:
        raise Cannot(f"There may be {limits.rules} rules.")
    names = [rule.name for rule in settings.rules]
    for rule in settings.rules:
        if names.count(rule.name) > 1:
            raise Cannot(f'There are two rules called "{rule.name}".')
        _check_rule(rule)


def _check_reply(reply: AutoReply) -> None:
    if not reply.text.strip():
        raise Cannot("An auto-reply needs a text.")
    if len(reply.text) > TEXT_SIZE or _has_controls(reply.text.replace("\n", "")):
        raise Cannot(f"The text may have {TEXT_SIZE} characters, and no control characters.")
    _check_line(reply.subject, "subject")
    if not 1 <= reply.days <= 365:
        raise Cannot("One sender is answered once in 1 to 365 days.")
    for day in (reply.first, reply.last):
        if day and not _is_day(day):
            raise Cannot(f'"{day[:100]}" is no day; write it as 2026-12-24.')
    if reply.first and reply.last and reply.first > reply.last:
        raise Cannot("The auto-reply ends before it begins.")
    for alias in reply.aliases:
        _check_address(alias)


def _check_forward(forward: Forward, own: str, limits: SieveLimits) -> None:
    if not forward.to:
        raise Cannot("A forward needs an address.")
    if len(forward.to) > limits.redirects:
        raise Cannot(f"Mail is forwarded to {limits.redirects} addresses at most.")
    for address in forward.to:
        _check_address(address)
        if address.lower() == own.lower():
            raise Cannot(f"Mail for {own} cannot be forwarded to {own}.")
    if len({address.lower() for address in forward.to}) < len(forward.to):
        raise Cannot("An address stands twice in the forward.")


def _check_rule(rule: Rule) -> None:
    _check_line(rule.name, "name of a rule")
    if not rule.name.strip():
        raise Cannot("A rule needs a name.")
    if not rule.conditions:
        raise Cannot(f'The rule "{rule.name}" has no condition.')
    if len(rule.conditions) > 100:
        raise Cannot(f'The rule "{rule.name}" has more than 100 conditions.')
    for condition in rule.conditions:
        if condition.field not in FIELDS or condition.match not in MATCHES:
            raise Cannot(f"Rules look at {', '.join(FIELDS)} with {' or '.join(MATCHES)}.")
        _check_line(condition.value, "value")
        if not condition.value:
            raise Cannot(f'A condition of the rule "{rule.name}" has no value.')
    _check_line(rule.mailbox, "name of a mailbox")
    for flag in rule.flags:
        if flag_names([flag]) != (flag,):
            raise Cannot(f'"{flag[:100]}" is no flag.')
    if not rule.mailbox and not rule.flags:
        raise Cannot(f'The rule "{rule.name}" does nothing: it needs a mailbox or a flag.')


def _check_line(text: str, what: str) -> None:
    if len(text) > VALUE_SIZE or _has_controls(text):
        raise Cannot(f"A {what} may have {VALUE_SIZE} characters, and no control characters.")


def _check_address(text: str) -> None:
    if one_address(text) != text:
        raise Cannot(f'"{text[:100]}" is no address.')


def _has_controls(text: str) -> bool:
    return any(
        char < " " or "\x7f" <= char <= "\x9f" or "\ud800" <= char <= "\udfff" for char in text
    )


def _is_day(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
