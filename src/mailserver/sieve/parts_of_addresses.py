"""Parts of an address that tests compare.

Spec: RFC 5228 §2.7.4; RFC 5233 §4.  Status: complete.
"""

from collections.abc import Callable
from typing import TypeAlias

from mailserver.sieve.arguments import Args
from mailserver.sieve.header import Mailbox
from mailserver.sieve.registry import tag
from mailserver.sieve.run import Run

#: the part of an address; None where it has none, which nothing matches
Part: TypeAlias = Callable[[Run, Mailbox], str | None]

_PARTS: dict[str, Part] = {}


def address_part(name: str, *, capability: str = "") -> Callable[[Part], Part]:
    """Register the decorated function as what the tag *name* stands for."""

    def register(part: Part) -> Part:
        tag(name, of=("address-part",), group="address-part", capability=capability)
        _PARTS[name] = part
        return part

    return register


def part(args: Args) -> Part:
    """The part that the tags of *args* ask for, all of it without any."""
    return _PARTS[args.tag("address-part") or "all"]


@address_part("all")
def whole(run: Run, mailbox: Mailbox) -> str:
    """localpart@domain."""
    return mailbox.whole


@address_part("localpart")
def localpart(run: Run, mailbox: Mailbox) -> str:
    """What stands before the "@"."""
    return mailbox.localpart


@address_part("domain")
def domain(run: Run, mailbox: Mailbox) -> str:
    """What stands behind it."""
    return mailbox.domain
