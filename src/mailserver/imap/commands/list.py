r"""LIST: which mailboxes there are.

Spec: RFC 3501 §6.3.8; RFC 9051 §6.3.9; RFC 5258 §3 (LIST-EXTENDED); RFC 6154 §2 (SPECIAL-USE); RFC 3348 §3 (CHILDREN).
Status: complete.
"""

from collections.abc import Generator
from dataclasses import dataclass

from mailserver.base.errors import LimitReached
from mailserver.imap import access, names, response
from mailserver.imap.list_returns import RETURNS, Asked
from mailserver.imap.listing import Listing, Selection
from mailserver.imap.parser import Parser
from mailserver.imap.patterns import matcher
from mailserver.imap.registry import State, announce, command
from mailserver.imap.response import Response
from mailserver.imap.session import Session
from mailserver.store.tx import Read

_PATTERNS = 100
_SELECTIONS = frozenset({"SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"})
_PLAIN_RETURNS = frozenset({"SUBSCRIBED", "CHILDREN", "SPECIAL-USE"})

for _name in ("CHILDREN", "LIST-EXTENDED", "LIST-MYRIGHTS", "LIST-STATUS", "SPECIAL-USE"):
    announce(_name, State.ANY)


@dataclass(frozen=True, slots=True)
class ListArgs:
    r"""What to list.

    is_extended:      any of the forms of RFC 5258 §1 was used.
    tell_subscribed:  \Subscribed is wanted.     asked: return options that bring responses of their own.
    """

    reference: str
    patterns: tuple[str, ...]
    is_extended: bool
    selection: Selection
    tell_subscribed: bool
    asked: tuple[Asked, ...]


def parse(p: Parser) -> ListArgs:
    """SP [selection SP] mailbox SP list-mailbox or patterns [SP "RETURN" SP options] (RFC 5258 §6)."""
    selection, is_extended = Selection(), False
    if p.sp().peek(b"("):
        selection, is_extended = _selection(p), True
        p.sp()
    reference = p.mailbox()
    if p.sp().peek(b"("):
        patterns, is_extended = p.group(Parser.list_mailbox), True
    else:
        patterns = [p.list_mailbox()]
    if len(patterns) > _PATTERNS:
        raise LimitReached(f"At most {_PATTERNS} patterns")
    returns: dict[str, Asked | None] = {}
    if p.accept(b" RETURN "):
        is_extended = True
        returns = dict(p.group(_return, empty=True))
    return ListArgs(
        reference,
        tuple(patterns),
        is_extended,
        selection,
        selection.subscribed or "SUBSCRIBED" in returns,
        tuple(asked for asked in returns.values() if asked is not None),
    )


def _selection(p: Parser) -> Selection:
    """RFC 5258 §3.1; what is unknown is an error."""
    options = set(p.group(Parser.word, empty=True))
    if unknown := options - _SELECTIONS:
        raise p.error(f"unknown selection option {min(unknown)}")
    if "RECURSIVEMATCH" in options and "SUBSCRIBED" not in options:
        raise p.error("RECURSIVEMATCH needs another selection option")
    return Selection("SUBSCRIBED" in options, "SPECIAL-USE" in options, "RECURSIVEMATCH" in options)


def _return(p: Parser) -> tuple[str, Asked | None]:
    """RFC 5258 §3.2; children and special use are told to everybody."""
    name = p.word()
    if name in RETURNS:
        return name, RETURNS[name](p)
    if name not in _PLAIN_RETURNS:
        raise p.error(f"unknown return option {name}")
    return name, None


@command("LIST", state=State.AUTHENTICATED, parse=parse)
def list_(session: Session, args: ListArgs, tx: Read) -> Generator[Response, None, None]:
    """Every name that matches; an empty pattern asks for the hierarchy delimiter (RFC 3501 §6.3.8)."""
    if not args.is_extended and args.patterns == ("",):
        yield response.mailbox_list(("\\Noselect",), b'""')
        return
    user = session.account.id
    needs_subscriptions = args.tell_subscribed or args.selection.subscribed
    listing = Listing(
        access.visible(session, tx),
        tx.mailboxes.subscriptions(user) if needs_subscriptions else (),
        user,
    )
    entries = list(
        listing.select(
            matcher(args.reference, args.patterns),
            args.selection,
            level=matcher(args.reference, [p for p in args.patterns if p.endswith("%")]),
            tell_subscribed=args.tell_subscribed,
        )
    )
    tellings = [asked(session, tx, entries) for asked in args.asked]
    is_old = not (args.is_extended or session.is_rev2)
    is_utf8 = session.is_utf8
    for entry in entries:
        attributes = entry.attributes
        if is_old and entry.seen is None:  # RFC 3501 §6.3.8 has no other word for it
            attributes = ("\\Noselect", *attributes[1:])
        name = names.encode(entry.name, is_utf8=is_utf8)
        info = b'"CHILDINFO" ("SUBSCRIBED")' if entry.child_info else b""
        yield response.mailbox_list(attributes, name, extended=info)
        for tell in tellings:
            yield from tell(entry, name)
