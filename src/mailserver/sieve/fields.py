"""Which header fields a test looks at, by their names, their place among those of the same name, and their part.

Spec: RFC 5228 §2.4.2.2, §5.1, §5.7; RFC 5260 §6; RFC 5703 §4.  Status: complete.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from mailserver.sieve.arguments import Args
from mailserver.sieve.header import Header, Mailbox
from mailserver.sieve.run import PIECE, Run
from mailserver.sieve.strings import Texts

T = TypeVar("T")

_NAME = re.compile(r"[!-9;-~]+")  # RFC 5322 §2.2


def values(args: Args, index: int) -> Callable[[Run], list[str]]:
    """The values of the fields that the argument at *index* names; a name that is none, no field has (§2.4.2.2)."""
    if only := only_name(args, index):
        return lambda run: run.message.header.values(only)
    names, chosen, headers_of = _names(args, index), choice(args), headers(args)
    if headers_of is not None:
        return _of_parts(names, chosen, headers_of, lambda run, header, name: header.values(name))

    def found(run: Run) -> list[str]:
        out: list[str] = []
        for name in names.get(run):
            out += run.message.values(name.lower())
        return out if chosen is None else list(chosen(out))

    return found


def only_name(args: Args, index: int) -> str:
    """The one field of the message's own header that is meant, whatever it holds; "" where it is not so simple."""
    names = args.texts(index).constant
    if names is None or len(names) != 1 or choice(args) or headers(args):
        return ""
    _names(args, index)
    return names[0].lower()


def addresses(args: Args, index: int) -> Callable[[Run], list[Mailbox]]:
    """The mailboxes in these fields."""
    names, chosen, headers_of = _names(args, index), choice(args), headers(args)
    if headers_of is not None:
        lists = _of_parts(
            names, chosen, headers_of, lambda run, header, name: header.addresses(name)
        )
        return lambda run: [mailbox for field in lists(run) for mailbox in field]

    def found(run: Run) -> list[Mailbox]:
        fields: list[list[Mailbox]] = []
        for name in names.get(run):
            fields += run.message.addresses(name.lower())
        return [mailbox for field in (chosen(fields) if chosen else fields) for mailbox in field]

    return found


def parameters(
    args: Args, index: int, read: Callable[[Run, str, bytes], Sequence[str]]
) -> Callable[[Run], list[str]]:
    """What *read* makes of (name in lower case, value unfolded) of these fields, with `:mime`."""
    names, chosen, headers_of = _names(args, index), choice(args), headers(args)
    if headers_of is None:
        raise args.error("this needs :mime")
    lists = _of_parts(
        names,
        chosen,
        headers_of,
        lambda run, header, name: [read(run, name, value) for value in header.octets(name)],
    )
    return lambda run: [value for found in lists(run) for value in found]


def headers(args: Args) -> Callable[[Run], Iterator[Header]] | None:
    """The headers that `:mime`, with or without `:anychild`, asks for; None without it: that of the message.

    Raises ScriptError (RFC 5703 §4.1).
    """
    if not args.has("mime"):
        for tag in ("anychild", args.tag("mimeopt")):
            if tag and args.has(tag):
                raise args.error(f":{tag} goes with :mime only")
        return None
    with_children = args.has("anychild")

    def found(run: Run) -> Iterator[Header]:
        if run.part is None and not with_children:
            yield run.message.header
            return
        first = run.part or run.message.root
        for part in first.descendants() if with_children else (first,):
            run.spend(part.cost + part.header_size // PIECE)
            yield part.header

    return found


def _of_parts(
    names: Texts,
    chosen: Callable[[Sequence[T]], Sequence[T]] | None,
    headers_of: Callable[[Run], Iterator[Header]],
    read: Callable[[Run, Header, str], Sequence[T]],
) -> Callable[[Run], list[T]]:
    def found(run: Run) -> list[T]:
        out: list[T] = []
        wanted = [name.lower() for name in names.get(run)]
        for header in headers_of(run):
            fields = [value for name in wanted for value in read(run, header, name)]
            out += fields if chosen is None else chosen(fields)
        return out

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
