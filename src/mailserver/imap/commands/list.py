r"""LIST and LSUB: which mailboxes there are.

Spec: RFC 3501 §6.3.8, §6.3.9; RFC 5258 §3 (LIST-EXTENDED); RFC 6154 §2 (SPECIAL-USE); RFC 3348 §3 (CHILDREN);
RFC 5819 §2 (LIST-STATUS).  Status: complete.
"""

from collections.abc import Generator
from dataclasses import dataclass

from mailserver.base.errors import LimitReached
from mailserver.imap import access, listing, names, response, statuses
from mailserver.imap.listing import Selection
from mailserver.imap.parser import Parser
from mailserver.imap.patterns import matcher
from mailserver.imap.registry import State, announce, command
from mailserver.imap.response import Response
from mailserver.imap.session import Session
from mailserver.store.tx import Read

_PATTERNS = 100
_ANYTHING = Selection()

for _name in ("CHILDREN", "LIST-EXTENDED", "LIST-STATUS", "SPECIAL-USE"):
    announce(_name, State.ANY)


@dataclass(frozen=True, slots=True)
class ListArgs:
    r"""What to list.

    is_extended:      any of the forms of RFC 5258 §1 was used.
    tell_subscribed:  \Subscribed is wanted.     status: items of a STATUS response for each mailbox.
    """

    reference: str
    patterns: tuple[str, ...]
    is_extended: bool = False
    selection: Selection = _ANYTHING
    tell_subscribed: bool = False
    status: tuple[str, ...] = ()


def parse(p: Parser) -> ListArgs:
    """SP [selection SP] mailbox SP list-mailbox or patterns [SP "RETURN" SP options] (RFC 5258 §6)."""
    selection, is_extended = _ANYTHING, False
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
    tell_subscribed = selection.subscribed
    status: tuple[str, ...] = ()
    if p.accept(b" RETURN "):
        is_extended = True
        wants_subscribed, status = _returns(p)
        tell_subscribed = tell_subscribed or wants_subscribed
    return ListArgs(reference, tuple(patterns), is_extended, selection, tell_subscribed, status)


def parse_lsub(p: Parser) -> ListArgs:
    """SP mailbox SP list-mailbox (RFC 3501 §9)."""
    return ListArgs(p.sp().mailbox(), (p.sp().list_mailbox(),))


def _selection(p: Parser) -> Selection:
    """RFC 5258 §3.1; what is unknown is an error."""
    names = set(p.group(Parser.word, empty=True))
    unknown = names - {"SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"}
    if unknown:
        raise p.error(f"unknown selection option {min(unknown)}")
    if "RECURSIVEMATCH" in names and "SUBSCRIBED" not in names:
        raise p.error("RECURSIVEMATCH needs another selection option")
    return Selection("SUBSCRIBED" in names, "SPECIAL-USE" in names, "RECURSIVEMATCH" in names)


def _returns(p: Parser) -> tuple[bool, tuple[str, ...]]:
    """RFC 5258 §3.2; children and special use are told to everybody."""
    subscribed = False
    status: tuple[str, ...] = ()

    def option(p: Parser) -> None:
        nonlocal subscribed, status
        name = p.word()
        if name == "SUBSCRIBED":
            subscribed = True
        elif name == "STATUS":
            status = statuses.parse_items(p.sp())
        elif name not in {"CHILDREN", "SPECIAL-USE"}:
            raise p.error(f"unknown return option {name}")

    p.group(option, empty=True)
    return subscribed, status


@command("LIST", state=State.AUTHENTICATED, parse=parse)
def list_(session: Session, args: ListArgs, tx: Read) -> Generator[Response, None, None]:
    """Every name that matches; an empty pattern asks for the hierarchy delimiter (RFC 3501 §6.3.8)."""
    if not args.is_extended and args.patterns == ("",):
        yield response.mailbox_list(("\\Noselect",), b'""')
        return
    needs_subscriptions = args.tell_subscribed or args.selection.subscribed
    for entry in listing.select(
        access.visible(session, tx),
        tx.mailboxes.subscriptions(session.account.id) if needs_subscriptions else (),
        matcher(args.reference, args.patterns),
        args.selection,
        tell_subscribed=args.tell_subscribed,
    ):
        name = names.encode(entry.name, is_utf8=session.is_utf8)
        info = b' ("CHILDINFO" ("SUBSCRIBED"))' if entry.child_info else b""
        yield response.mailbox_list(entry.attributes, name + info)
        if args.status and entry.mailbox is not None and entry.mailbox.is_selectable:
            items = statuses.values(tx, entry.mailbox, args.status, session.limits)
            yield response.status(name, items)


@command("LSUB", state=State.AUTHENTICATED, parse=parse_lsub)
def lsub(session: Session, args: ListArgs, tx: Read) -> Generator[Response, None, None]:
    """The subscribed names that match, whether or not they exist (RFC 3501 §6.3.9)."""
    subscriptions = tx.mailboxes.subscriptions(session.account.id)
    for entry in listing.subscribed(subscriptions, matcher(args.reference, args.patterns)):
        name = names.encode(entry.name, is_utf8=session.is_utf8)
        yield response.mailbox_list(entry.attributes, name, what=b"LSUB")
