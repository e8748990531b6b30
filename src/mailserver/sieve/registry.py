"""The tables of what a script may say, filled by the files in language/ and extensions/.

Spec: RFC 5228 §2.5, §2.6, §2.10.5.  Status: complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from mailserver.base.registry import scan

if TYPE_CHECKING:
    from mailserver.sieve.arguments import Args
    from mailserver.sieve.run import Run

#: what a command and a test become: functions of a run
Step: TypeAlias = Callable[["Run"], None]
Check: TypeAlias = Callable[["Run"], bool]


class Kind(Enum):
    """What an argument has to be; where STRINGS are wanted, one string will do (RFC 5228 §2.4.2.1)."""

    STRING = "a string"
    STRINGS = "a list of strings"
    NUMBER = "a number"


STRING, STRINGS, NUMBER = Kind.STRING, Kind.STRINGS, Kind.NUMBER


@dataclass(frozen=True, slots=True)
class Tag:
    """value: what follows the tag, None for nothing.

    of:    the commands, tests and groups of tags that have it: "match", "comparator", "address-part", ...
    group: of tags with the same one, a command has one at most; "" for none.
    """

    name: str
    value: Kind | None
    of: frozenset[str]
    group: str
    capability: str


@dataclass(frozen=True, slots=True)
class Row:
    """One command or test.

    positional: what follows the tags; the one at the index *optional* may be left out, none at -1.
    tests:      how many tests follow: 0, 1, or any number (-1).     has_block: a command with a block.
    takes:      groups of tags beside its own.
    after:      it goes on with one of these commands ("else" with "if").
    """

    name: str
    positional: tuple[Kind, ...]
    optional: int
    tests: int
    has_block: bool
    takes: frozenset[str]
    after: frozenset[str]
    capability: str


@dataclass(frozen=True, slots=True)
class CommandRow(Row):
    """compile: makes the step of one use."""

    compile: Callable[[Args], Step]


@dataclass(frozen=True, slots=True)
class TestRow(Row):
    """compile: makes the check of one use."""

    compile: Callable[[Args], Check]


COMMANDS: dict[str, CommandRow] = {}
TESTS: dict[str, TestRow] = {}
TAGS: dict[tuple[str, str], Tag] = {}  #: (name, command or group) -> row
CAPABILITIES: set[str] = set()  #: what `require` knows, and ManageSieve announces


def command(
    name: str,
    *positional: Kind,
    optional: int = -1,
    tests: int = 0,
    has_block: bool = False,
    takes: Iterable[str] = (),
    after: Iterable[str] = (),
    capability: str = "",
) -> Callable[[Callable[[Args], Step]], Callable[[Args], Step]]:
    """Register the decorated function, which compiles the command *name*."""

    def register(compile: Callable[[Args], Step]) -> Callable[[Args], Step]:
        if name in COMMANDS:
            raise ValueError(f"two rows for {name}")
        groups, before = frozenset(takes), frozenset(after)
        COMMANDS[name] = CommandRow(
            name, positional, optional, tests, has_block, groups, before, capability, compile
        )
        announce(capability)
        return compile

    return register


def test(
    name: str,
    *positional: Kind,
    optional: int = -1,
    tests: int = 0,
    takes: Iterable[str] = (),
    capability: str = "",
) -> Callable[[Callable[[Args], Check]], Callable[[Args], Check]]:
    """Register the decorated function, which compiles the test *name*."""

    def register(compile: Callable[[Args], Check]) -> Callable[[Args], Check]:
        if name in TESTS:
            raise ValueError(f"two rows for {name}")
        groups = frozenset(takes)
        TESTS[name] = TestRow(
            name, positional, optional, tests, False, groups, frozenset(), capability, compile
        )
        announce(capability)
        return compile

    return register


def tag(
    name: str,
    value: Kind | None = None,
    *,
    of: Iterable[str],
    group: str = "",
    capability: str = "",
) -> None:
    """Register the tag *name* of the commands, tests or groups *of*."""
    row = Tag(name, value, frozenset(of), group, capability)
    for owner in row.of:
        if (name, owner) in TAGS:
            raise ValueError(f"two rows for :{name} of {owner}")
        TAGS[name, owner] = row
    announce(capability)


def announce(capability: str) -> None:
    """A script may require *capability*."""
    if capability:
        CAPABILITIES.add(capability)


def find_tag(name: str, row: Row) -> Tag | None:
    """The tag as *row* has it."""
    own = TAGS.get((name, row.name))
    if own is not None:
        return own
    return next((TAGS[name, g] for g in sorted(row.takes) if (name, g) in TAGS), None)


def load() -> None:
    """Import every module of language/ and extensions/, so that each registers itself."""
    from mailserver.sieve import extensions, language

    scan(language)
    scan(extensions)


def table() -> str:
    """All tables as text, for the golden file and the docs."""
    out = []
    for title, rows in (("Commands", COMMANDS), ("Tests", TESTS)):
        out.append(f"{title}\n")
        for row in sorted(rows.values(), key=lambda r: r.name):
            words = ", ".join(kind.value for kind in row.positional)
            tags = sorted({tag.name for tag in TAGS.values() if tag.of & {row.name, *row.takes}})
            shown = " ".join(f":{name}" for name in tags)
            out.append(f"  {row.name:<18}{row.capability:<16}{words:<44}{shown}".rstrip() + "\n")
    out.append("Capabilities\n")
    out += [f"  {name}\n" for name in sorted(CAPABILITIES)]
    return "".join(out)
