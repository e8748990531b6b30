"""Checks of a message before it is taken: each a file in `checks/`, each a verdict with its reason.

A check is a function from the message to a verdict.  They run in the order of the table; the first that refuses
decides, and all verdicts up to it are kept: every acceptance and every refusal can be explained.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from mailserver.base.limits import Limits
from mailserver.base.registry import scan
from mailserver.mime.derived import Derived
from mailserver.mta.authors import Authors
from mailserver.smtp.reply import Reply


@dataclass(frozen=True, slots=True)
class Message:
    """What checks look at.

    first:        the first octet of what the client sent; b"" if it sent nothing.
    is_submitted: by a user who has logged in.
    foreign:      addresses in From and Sender that are not the user's; empty unless is_submitted.
    """

    derived: Derived
    authors: Authors
    first: bytes
    size: int
    is_submitted: bool
    foreign: tuple[str, ...]
    limits: Limits


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found.  refusal: None when the message passed."""

    check: str
    reason: str
    refusal: Reply | None = None

    @property
    def stage(self) -> str:
        """When it was asked."""
        return "data"


Check = Callable[[Message], Verdict]


@dataclass(frozen=True, slots=True)
class Row:
    """One check of the table.  applies_to: "all", "submitted" or "received"."""

    name: str
    order: int
    applies_to: str
    function: Check


_rows: dict[str, Row] = {}


def check(name: str, *, order: int, applies_to: str = "all") -> Callable[[Check], Check]:
    """Enters the function into the table under *name*."""

    def enter(function: Check) -> Check:
        if name in _rows or any(row.order == order for row in _rows.values()):
            raise ValueError(f"check {name}: name or order {order} is taken")
        _rows[name] = Row(name, order, applies_to, function)
        return function

    return enter


@cache
def table() -> tuple[Row, ...]:
    """All checks in their order."""
    from mailserver.mta import checks

    scan(checks)
    return tuple(sorted(_rows.values(), key=lambda row: row.order))


def run(message: Message) -> list[Verdict]:
    """The verdicts in order, up to the first refusal, which is the last."""
    verdicts = []
    skipped = "received" if message.is_submitted else "submitted"
    for row in table():
        if row.applies_to == skipped:
            continue
        verdict = row.function(message)
        verdicts.append(verdict)
        if verdict.refusal is not None:
            break
    return verdicts
