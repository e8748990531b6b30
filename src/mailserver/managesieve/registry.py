"""The table of commands, filled by the files in commands/.

Spec: RFC 5804 §2.  Status: complete.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from mailserver.base.registry import scan

if TYPE_CHECKING:
    from mailserver.managesieve.session import Session

    #: (session, arguments, transaction) -> what is said
    Run = Callable[[Session, Any, Any], bytes]


class State(Enum):
    """When a command may be given."""

    ANY = "any"
    BEFORE = "before log-in"
    AFTER = "after log-in"


class Shape(Enum):
    """What a command needs."""

    SAYS = "nothing"
    READS = "a read transaction"
    WRITES = "a write transaction"
    TALKS = "the connection"


@dataclass(frozen=True, slots=True)
class Row:
    """kinds: the types of its arguments; the last *optional* of them may be left out.  run: None where it talks."""

    name: str
    state: State
    shape: Shape
    kinds: tuple[type, ...]
    optional: int
    run: Run | None


COMMANDS: dict[str, Row] = {}


def command(
    name: str,
    *kinds: type,
    state: State = State.AFTER,
    shape: Shape = Shape.READS,
    optional: int = 0,
) -> Callable[[Run], Run]:
    """Register the decorated function as the command *name*."""

    def register(run: Run) -> Run:
        _add(Row(name, state, shape, kinds, optional, run))
        return run

    return register


def talks(name: str, *kinds: type, state: State, optional: int = 0) -> None:
    """Register *name*, which the connection carries out itself."""
    _add(Row(name, state, Shape.TALKS, kinds, optional, None))


def _add(row: Row) -> None:
    if row.name in COMMANDS:
        raise ValueError(f"two rows for {row.name}")
    COMMANDS[row.name] = row


def load() -> None:
    """Import every module of commands/."""
    from mailserver.managesieve import commands

    scan(commands)


def table() -> str:
    """The table as text, for the golden file."""
    lines = []
    for row in sorted(COMMANDS.values(), key=lambda r: r.name):
        kinds = " ".join("number" if kind is int else "string" for kind in row.kinds)
        shape = row.shape.name.lower()
        lines.append(f"{row.name:<16}{row.state.value:<16}{shape:<8}{kinds}".rstrip())
    return "\n".join(lines) + "\n"
