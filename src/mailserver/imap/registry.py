"""The tables of what this server understands, filled by the files in commands/, fetching/ and searching/.

Spec: RFC 3501 §3, §6.  Status: complete.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from mailserver.base.registry import scan

if TYPE_CHECKING:
    from mailserver.imap.conversation import Conversation
    from mailserver.imap.parser import Parser
    from mailserver.imap.response import Response, Tagged
    from mailserver.imap.session import Session

    #: a plain handler runs in one transaction; its responses leave after COMMIT
    Handler: TypeAlias = Callable[[Session, Any, Any], Generator[Response, None, Tagged | None]]
    Talk: TypeAlias = Callable[[Session, Any], Conversation]
    Parse: TypeAlias = Callable[[Parser], Any]


class State(Enum):
    """Where a command is valid (RFC 3501 §3).  AUTHENTICATED means: with or without a selected mailbox."""

    ANY = "any"
    NOT_AUTHENTICATED = "not authenticated"
    AUTHENTICATED = "authenticated"
    SELECTED = "selected"


@dataclass(frozen=True, slots=True)
class Command:
    """One row of the command table.

    run:       a plain handler (session, args, tx), if *talk* is None.
    talk:      a conversation (session, args), if *run* is None.
    writes:    a plain handler needs a write transaction.
    expunges:  EXPUNGE responses may be sent while it is in progress (RFC 3501 §7.4.1).
    may_unselect: it may remove the mailbox that is selected.
    is_numbered: messages have numbers in it; there is a "UID" form in which they do not.
    """

    name: str
    state: State
    parse: Parse
    run: Handler | None
    talk: Talk | None
    writes: bool
    expunges: bool
    may_unselect: bool
    capability: str
    is_numbered: bool = False


@dataclass(frozen=True, slots=True)
class FetchItem:
    """One row of the table of FETCH items.

    needs:     columns of `messages.rows` beside the plain ones.      sees: fetching it sets \\Seen.
    parse:     reads what follows the name, None for nothing.
    run:       what the room fetching/ calls to render it.
    """

    name: str
    needs: frozenset[str]
    sees: bool
    parse: Parse | None
    run: Callable[..., Any]
    capability: str


@dataclass(frozen=True, slots=True)
class SearchKey:
    """One row of the table of search keys.

    parse:     reads the arguments after the name, None for none.
    run:       what the room searching/ calls with them.
    """

    name: str
    parse: Parse | None
    run: Callable[..., Any]
    capability: str


@dataclass(frozen=True, slots=True)
class Enablable:
    """An extension that changes what the server says once the client has asked for it.

    implies:  what else is switched on with it, in upper case.
    """

    name: str
    implies: tuple[str, ...] = ()


COMMANDS: dict[str, Command] = {}
FETCH_ITEMS: dict[str, FetchItem] = {}
SEARCH_KEYS: dict[str, SearchKey] = {}
CAPABILITIES: dict[str, State] = {}  #: name -> where it is announced
ENABLABLE: dict[
    str, Enablable
] = {}  #: what ENABLE can switch on, by its name in upper case (RFC 5161 §3.1)


def nothing(p: Parser) -> None:
    """The grammar of a command without arguments."""


def command(
    name: str,
    *,
    state: State,
    parse: Parse = nothing,
    uid_variant: bool = False,
    writes: bool = False,
    expunges: bool = True,
    may_unselect: bool = False,
    capability: str = "",
) -> Callable[[Handler], Handler]:
    """Register a plain handler as *name*, and as "UID name" if *uid_variant*.

    With *expunges* False the plain form may not send EXPUNGE; the UID form always may (RFC 3501 §7.4.1).
    """

    def register(run: Handler) -> Handler:
        for full in _forms(name, uid_variant, False):
            may = expunges or full != name
            is_numbered = uid_variant and full == name
            _add(
                Command(
                    full,
                    state,
                    parse,
                    run,
                    None,
                    writes,
                    may,
                    may_unselect,
                    capability,
                    is_numbered,
                )
            )
        return run

    return register


def conversation(
    name: str,
    *,
    state: State,
    parse: Parse = nothing,
    uid_variant: bool = False,
    uid_only: bool = False,
    expunges: bool = True,
    capability: str = "",
) -> Callable[[Talk], Talk]:
    """Register a conversation as *name*, and as "UID name" if *uid_variant*; see `command`."""

    def register(talk: Talk) -> Talk:
        for full in _forms(name, uid_variant, uid_only):
            may = expunges or full != name
            is_numbered = uid_variant and full == name
            _add(
                Command(full, state, parse, None, talk, False, may, False, capability, is_numbered)
            )
        return talk

    return register


def _forms(name: str, uid_variant: bool, uid_only: bool) -> Iterable[str]:
    if uid_only:
        return (f"UID {name}",)
    return (name, f"UID {name}") if uid_variant else (name,)


def _add(row: Command) -> None:
    if row.name in COMMANDS:
        raise ValueError(f"two handlers for {row.name}")
    COMMANDS[row.name] = row
    if row.capability:
        announce(row.capability, State.ANY)


def fetch_item(
    name: str,
    *,
    needs: Iterable[str] = (),
    sees: bool = False,
    parse: Parse | None = None,
    capability: str = "",
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function as the renderer of the FETCH item *name*."""

    def register(run: Callable[..., Any]) -> Callable[..., Any]:
        if name in FETCH_ITEMS:
            raise ValueError(f"two handlers for FETCH {name}")
        FETCH_ITEMS[name] = FetchItem(name, frozenset(needs), sees, parse, run, capability)
        if capability:
            announce(capability, State.ANY)
        return run

    return register


def search_key(
    name: str, *, parse: Parse | None = None, capability: str = ""
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function as the search key *name*."""

    def register(run: Callable[..., Any]) -> Callable[..., Any]:
        if name in SEARCH_KEYS:
            raise ValueError(f"two handlers for SEARCH {name}")
        SEARCH_KEYS[name] = SearchKey(name, parse, run, capability)
        if capability:
            announce(capability, State.ANY)
        return run

    return register


def announce(name: str, state: State) -> None:
    """Put *name* on the CAPABILITY list: always (ANY), before log-in only, or after it only (AUTHENTICATED)."""
    CAPABILITIES.setdefault(name, state)


def enablable(name: str, *, implies: Iterable[str] = ()) -> None:
    """Let ENABLE switch *name* on, and with it what it *implies*; `Session.enabled` has it in upper case."""
    ENABLABLE[name.upper()] = Enablable(name, tuple(implies))


def load() -> None:
    """Import every module of commands/, so that each registers itself."""
    from mailserver.imap import commands

    scan(commands)


def table() -> str:
    """All tables as text, for the golden file and the docs."""
    out = ["Commands\n"]
    for c in sorted(COMMANDS.values(), key=lambda row: row.name):
        shape = "conversation" if c.talk else "writes" if c.writes else "reads"
        expunges = "" if c.expunges else "no EXPUNGE"
        out.append(
            f"  {c.name:<14}{c.state.value:<19}{shape:<14}{expunges:<12}{c.capability}".rstrip()
        )
        out.append("\n")
    out.append("Capabilities\n")
    out += [f"  {name:<20}{CAPABILITIES[name].value}\n" for name in sorted(CAPABILITIES)]
    out.append("ENABLE\n")
    for e in sorted(ENABLABLE.values(), key=lambda row: row.name):
        out.append(f"  {e.name:<20}{','.join(e.implies)}".rstrip() + "\n")
    out.append("FETCH items\n")
    for i in sorted(FETCH_ITEMS.values(), key=lambda row: row.name):
        needs = ",".join(sorted(i.needs))
        out.append(f"  {i.name:<20}{'sets Seen' if i.sees else '':<11}{needs}".rstrip() + "\n")
    out.append("Search keys\n")
    out += [f"  {name}\n" for name in sorted(SEARCH_KEYS)]
    return "".join(out)
