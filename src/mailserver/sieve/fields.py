"""Which header fields a test looks at, by their names and by their place among those of the same name.

Spec: RFC 5228 §2.4.2.2, §5.1, §5.7; RFC 5260 §6.  Status: complete.
"""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from mailserver.sieve.arguments import Args
from mailserver.sieve.message import Mailbox
from mailserver.sieve.run import Run
from mailserver.sieve.strings import Texts

T = TypeVar("T")

_NAME = re.compile(r"[!-9;-~]+")  # RFC 5322 §2.2


def values(args: Args, index: int) -> Callable[[Run], list[str]]:
    """The values of the fields that the argument at *index* names; a name that is none, no field has (§2.4.2.2)."""
    names, chosen = _names(args, index), choice(args)
    if names.constant is not None and len(names.constant) == 1 and chosen is None:
        (only,) = names.constant
        only = only.lower()
        return lambda run: run.message.values(only)

    def found(run: Run) -> list[str]:
        out: list[str] = []
        for name in names.get(run):
            out += run.message.values(name.lower())
        return out if chosen is None else list(chosen(out))

    return found


def addresses(args: Args, index: int) -> Callable[[Run], list[Mailbox]]:
    """The mailboxes in these fields."""
    names, chosen = _names(args, index), choice(args)

    def found(run: Run) -> list[Mailbox]:
        fields: list[list[Mailbox]] = []
        for name in names.get(run):
            fields += run.message.addresses(name.lower())
        return [mailbox for field in (chosen(fields) if chosen else fields) for mailbox in field]

    return found


def choice(args: Args) -> Callable[[Sequence[T]], Sequence[T]] | None:
    """What `:index`, with or without `:last`, leaves of the fields, all names together; None where they all count.

    Raises ScriptError (RFC 5260 §6).
    """
    number, is_last = args.tag_number("index"), args.has("last")
    if number is None:
        if is_last:
            raise args.error(":last goes with :index only")
        return None
    if number < 1:
        raise args.error(":index counts from 1")
    if is_last:
        return lambda fields: (
            fields[-number : len(fields) - number + 1] if number <= len(fields) else ()
        )
    return lambda fields: fields[number - 1 : number]


def _names(args: Args, index: int) -> Texts:
    names = args.texts(index)
    for name in names.constant or ():
        if not _NAME.fullmatch(name):
            args.compiler.warn(args.place(index), f'"{name}" is no name of a header field')
    return names
