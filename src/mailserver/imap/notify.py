r"""What a client wants to hear of: which events, in which mailboxes.

Spec: RFC 5465 §3.1, §5, §6, §8.  Status: complete; there are no annotations of messages, so no AnnotationChange.
"""

from collections.abc import Callable, Set
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final

from mailserver.base.errors import PeerError
from mailserver.imap.errors import Code
from mailserver.imap.fetching.plan import Plan, parse_items
from mailserver.imap.parser import Parser
from mailserver.store.names import OTHERS, SEPARATOR, SHARED

#: what can be asked for, as BADEVENT lists it (RFC 5465 §8, event-name)
EVENTS: Final = (
    "MessageNew",
    "MessageExpunge",
    "FlagChange",
    "MailboxName",
    "SubscriptionChange",
    "MailboxMetadataChange",
    "ServerMetadataChange",
)
_BY_NAME: Final = {name.upper(): name for name in EVENTS}
_OF_MESSAGES: Final = frozenset(EVENTS[:3])
_ELSEWHERE: Final = (OTHERS + SEPARATOR, SHARED + SEPARATOR)


class Which(Enum):
    """How mailboxes are named (RFC 5465 §6); INBOXES is PERSONAL, as mail can be filed into any of them (§6.3)."""

    PERSONAL = auto()
    SUBSCRIBED = auto()
    SUBTREE = auto()
    MAILBOXES = auto()
    ALL = auto()  # no client can say so; ENABLE METADATA means it


@dataclass(frozen=True, slots=True)
class Group:
    """Events in some mailboxes, or, of ServerMetadataChange, in none.  names: of SUBTREE and MAILBOXES."""

    which: Which
    names: frozenset[str]
    events: frozenset[str]

    def covers(self, name: str, subscriptions: Set[str]) -> bool:
        """The mailbox that the client knows as *name* is among those meant."""
        if self.which is Which.PERSONAL:
            return not name.startswith(_ELSEWHERE)
        if self.which is Which.SUBSCRIBED:
            return name in subscriptions
        if self.which is Which.MAILBOXES:
            return name in self.names
        if self.which is Which.SUBTREE:
            above = name
            while above:
                if above in self.names:
                    return True
                above = above.rpartition(SEPARATOR)[0]
            return False
        return True


@dataclass(frozen=True, slots=True)
class Selected:
    """How the client hears of the mailbox that it has selected.

    is_pushed:   news come while no command runs, too (RFC 5465 §6.1.1).
    is_delayed:  but expunges wait for a command that allows them (§6.1.2).
    has_flags:   changes of flags are news.
    plan:        what is fetched of each new message, None for nothing (§5.2).
    """

    is_pushed: bool = True
    is_delayed: bool = False
    has_flags: bool = True
    plan: Plan | None = None


#: as long as there was no NOTIFY
AS_BEFORE: Final = Selected(is_pushed=False)
#: what ENABLE METADATA asks for (RFC 5464 §4.4)
METADATA: Final = Group(
    Which.ALL, frozenset(), frozenset({"MailboxMetadataChange", "ServerMetadataChange"})
)


@dataclass(frozen=True, slots=True)
class Request:
    """All that a client wants to hear of.

    selected:     None: nothing of the selected mailbox; it stays as it was last seen (RFC 5465 §3.1).
    wants_status: the state of the mailboxes is told at once.
    """

    groups: tuple[Group, ...] = ()
    selected: Selected | None = None
    wants_status: bool = False

    def with_metadata(self) -> "Request":
        """The same, and changes of all annotations."""
        return self if METADATA in self.groups else replace(self, groups=(*self.groups, METADATA))

    def events(self, name: str, subscriptions: Set[str]) -> frozenset[str]:
        """All events that are news in the mailbox *name*, wherever they were asked for (RFC 5465 §6)."""
        found: frozenset[str] = frozenset()
        for group in self.groups:
            if not group.events <= found and group.covers(name, subscriptions):
                found |= group.events
        return found

    @property
    def wants_server(self) -> bool:
        """Changed annotations of the server are news."""
        return any("ServerMetadataChange" in group.events for group in self.groups)

    @property
    def wants_metadata(self) -> bool:
        """Changed annotations are news somewhere."""
        wanted = {"ServerMetadataChange", "MailboxMetadataChange"}
        return any(not wanted.isdisjoint(group.events) for group in self.groups)


@dataclass(slots=True)
class _Reading:
    """A command as far as it is read."""

    groups: list[Group] = field(default_factory=list)
    selected: Selected | None = None
    has_selected: bool = False
    unsupported: bool = False


def parse(p: Parser) -> Request:
    """SP "NONE" or SP "SET" [SP "STATUS"] 1*(SP event-group) (RFC 5465 §8).

    Raises BADEVENT for events that there are none of here (§3.1).
    """
    word = p.sp().word()
    if word == "NONE":
        return Request()
    if word != "SET":
        raise p.error("expected SET or NONE")
    wants_status = p.accept(b" STATUS")
    reading = _Reading()
    p.sp().tokens(lambda p: _group(p, reading))
    if reading.unsupported:
        raise Code(f"BADEVENT ({' '.join(EVENTS)})", "There are no such events here")
    return Request(tuple(reading.groups), reading.selected, wants_status)


def _group(p: Parser, reading: _Reading) -> None:
    """ "(" filter-mailboxes SP events ")"."""
    p.open()
    which = p.word()
    if which in {"SELECTED", "SELECTED-DELAYED"}:
        if reading.has_selected:
            raise p.error("the selected mailbox is named twice")
        reading.has_selected = True
        events, plan = _events(p.sp(), reading, of_selected=True)
        if events:
            delayed = which == "SELECTED-DELAYED"
            flags = "FlagChange" in events
            reading.selected = Selected(is_delayed=delayed, has_flags=flags, plan=plan)
        p.close()
        return
    names: frozenset[str] = frozenset()
    if which == "INBOXES":
        kind = Which.PERSONAL
    elif which in Which.__members__ and which != "ALL":
        kind = Which[which]
    else:
        raise p.error(f"no way to name mailboxes: {which}")
    if kind in (Which.SUBTREE, Which.MAILBOXES):
        p.sp()
        many = p.group(Parser.mailbox) if p.peek(b"(") else [p.mailbox()]
        names = frozenset(name.removesuffix(SEPARATOR) for name in many)
    events, _ = _events(p.sp(), reading, of_selected=False)
    reading.groups.append(Group(kind, names, events))
    p.close()


def _events(
    p: Parser, reading: _Reading, *, of_selected: bool
) -> tuple[frozenset[str], Plan | None]:
    """ "NONE" or "(" event *(SP event) ")", and what is fetched of new messages (RFC 5465 §5)."""
    if p.accept(b"NONE"):
        return frozenset(), None
    plans: list[Plan] = []
    event: Callable[[Parser], str] = lambda p: _event(p, plans, may_fetch=of_selected)  # noqa: E731  # one line
    named = p.group(event)
    events = frozenset(_BY_NAME[name] for name in named if name in _BY_NAME)
    reading.unsupported |= len(events) < len(set(named))
    if ("MessageNew" in events) != ("MessageExpunge" in events):
        raise PeerError("MessageNew and MessageExpunge come together")
    if not {"FLAGCHANGE", "ANNOTATIONCHANGE"}.isdisjoint(named) and "MessageNew" not in events:
        raise PeerError("FlagChange and AnnotationChange want MessageNew and MessageExpunge")
    if of_selected and not events <= _OF_MESSAGES:
        raise PeerError("of the selected mailbox there are only events about messages")
    return events, plans[-1] if plans else None


def _event(p: Parser, plans: list[Plan], *, may_fetch: bool) -> str:
    name = p.word()
    if name == "MESSAGENEW" and p.peek(b" ("):
        if not may_fetch:
            raise p.error("only of the selected mailbox messages are fetched")
        plans.append(parse_items(p.sp()))
    return name
