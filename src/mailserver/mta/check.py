"""Local policy: one table of checks, each a file in `checks/`, each giving a verdict with its reason.

Checks belong to a stage of the conversation: when a client connects, when it logs in, at MAIL, at RCPT, and when the
content has come.  They run in the order of the table; the first that refuses decides, and all verdicts up to it are
kept: every acceptance and every refusal can be explained.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal, NamedTuple

from mailserver.base.limits import Limits
from mailserver.base.registry import scan
from mailserver.mime.derived import Head
from mailserver.mta.authors import Authors
from mailserver.mta.findings import REMEMBERED, Findings
from mailserver.mta.rates import Exceeded
from mailserver.mta.treatment import Decision, are_accepted, softened, together
from mailserver.smtp.reply import Reply

Stage = Literal["connect", "log-in", "mail", "rcpt", "data"]
STAGES: tuple[Stage, ...] = ("connect", "log-in", "mail", "rcpt", "data")


class Message(NamedTuple):
    """What checks of the content look at.

    first:        the first octet of what the client sent; b"" if it sent nothing.
    is_submitted: by a user who has logged in.
    foreign:      addresses in From and Sender that are not the user's; empty unless is_submitted.
    findings:     of mail authentication; None where it was not asked, for the reason *not_judged*.
    decisions:    what the recipients' domains make of them, each once.
    """

    derived: Head
    authors: Authors
    first: bytes
    size: int
    is_submitted: bool
    foreign: tuple[str, ...]
    limits: Limits
    findings: Findings | None = None
    decisions: tuple[Decision, ...] = ()
    not_judged: str = "not asked"


class Judged(NamedTuple):
    """What checks look at that tell what mail authentication found, and nothing else.

    decisions: what the recipients' domains make of it, each once.
    """

    found: Findings
    decisions: tuple[Decision, ...]

    def follows(self, name: str, reason: str) -> "Verdict":
        """The verdict of the check *name*, with what the recipients' domains make of it."""
        if are_accepted(self.decisions):
            return Verdict(name, reason)
        refusal = together(self.decisions)
        if refusal is not None and refusal.by == name:
            return Verdict(name, reason, refusal.reply)
        told = dict.fromkeys(
            _consequence(one) for one in map(softened, self.decisions) if one.by == name
        )
        told |= dict.fromkeys(
            f"the policy is not followed: {one.override[1]}"
            for one in self.decisions
            if one.override is not None and name == "dmarc"
        )
        return Verdict(name, "; ".join([reason, *filter(None, told)]))


class Asked(NamedTuple):
    """What checks before the content look at: what is asked for, and what is in the way.

    who:      whose counts were looked at: an account, or a client's address; "" for clients that are not limited.
    rate:     the limit by the hour that is reached.
    refused:  the same, for recipients that do not exist: somebody is trying out addresses.
    crowd:    why there is no room for another connection; "" if there is.
    overload: why nobody new is served; "" if everybody is.
    """

    who: str = ""
    rate: Exceeded | None = None
    refused: Exceeded | None = None
    crowd: str = ""
    overload: str = ""


class Verdict(NamedTuple):
    """What a check found.  refusal: None when the message passed."""

    check: str
    reason: str
    refusal: Reply | None = None

    @property
    def stage(self) -> Stage:
        """When it was asked."""
        return _stage_of(self.check)


Check = Callable[[Message], Verdict]
Judge = Callable[[Judged], Verdict]
Early = Callable[[Asked], Verdict]


@dataclass(frozen=True, slots=True)
class Row:
    """One check of the table.

    applies_to: "all", "submitted", "received", or "judged": received, and mail authentication was asked; the last.
    """

    stage: Stage
    name: str
    order: int
    applies_to: str
    text: str


_rows: dict[str, Row] = {}
_checks: dict[str, Check] = {}
_judges: dict[str, Judge] = {}
_early: dict[str, Early] = {}


def check(name: str, *, order: int, applies_to: str = "all") -> Callable[[Check], Check]:
    """Enters a check of the content into the table under *name*."""

    def register(function: Check) -> Check:
        _enter(Row("data", name, order, applies_to, _text(function)))
        _checks[name] = function
        return function

    return register


def judge(name: str, *, order: int) -> Callable[[Judge], Judge]:
    """Enters a check of what mail authentication found into the table under *name*."""

    def register(function: Judge) -> Judge:
        _enter(Row("data", name, order, "judged", _text(function)))
        _judges[name] = function
        return function

    return register


def early(name: str, *, stage: Stage, order: int) -> Callable[[Early], Early]:
    """Enters a check of another *stage* into the table under *name*."""

    def register(function: Early) -> Early:
        _enter(Row(stage, name, order, "all", _text(function)))
        _early[name] = function
        return function

    return register


def _enter(new: Row) -> None:
    taken = (row.stage == new.stage and row.order == new.order for row in _rows.values())
    if new.name in _rows or any(taken):
        raise ValueError(f"check {new.name}: name or order {new.order} is taken")
    _rows[new.name] = new


def _consequence(one: Decision) -> str:
    return "for Junk" if one.action == "quarantine" else ""


def _text(function: Check | Judge | Early) -> str:
    return " ".join((function.__doc__ or "").split())


@cache
def table() -> tuple[Row, ...]:
    """All checks in their order."""
    from mailserver.mta import checks

    scan(checks)
    return tuple(sorted(_rows.values(), key=_place))


def _place(row: Row) -> tuple[int, bool, int]:
    return STAGES.index(row.stage), row.applies_to == "judged", row.order


@cache
def _stage_of(name: str) -> Stage:
    return next((row.stage for row in table() if row.name == name), "data")


@cache
def _of_content(kinds: frozenset[str]) -> tuple[Check, ...]:
    rows = [row for row in table() if row.stage == "data" and row.applies_to in kinds]
    return tuple(_checks[row.name] for row in rows)


@cache
def _of_findings() -> tuple[Judge, ...]:
    return tuple(_judges[row.name] for row in table() if row.applies_to == "judged")


@cache
def _of_stage(stage: Stage) -> tuple[Early, ...]:
    return tuple(_early[row.name] for row in table() if row.stage == stage)


def run(message: Message) -> list[Verdict]:
    """The verdicts on the content in order, up to the first refusal, which is the last."""
    verdicts = []
    for function in _of_content(_SUBMITTED if message.is_submitted else _RECEIVED):
        verdicts.append(function(message))
        if verdicts[-1].refusal is not None:
            return verdicts
    found = message.findings
    if found is not None and not message.is_submitted:
        verdicts += (_known if found.is_small else _of_judged)(Judged(found, message.decisions))
    return verdicts


_SUBMITTED = frozenset({"all", "submitted"})
_RECEIVED = frozenset({"all", "received"})


def _of_judged(judged: Judged) -> tuple[Verdict, ...]:
    verdicts = []
    for function in _of_findings():
        verdicts.append(function(judged))
        if verdicts[-1].refusal is not None:
            break
    return tuple(verdicts)


_known = lru_cache(maxsize=REMEMBERED)(_of_judged)


def ask(stage: Stage, asked: Asked) -> list[Verdict]:
    """The verdicts of *stage* in order, up to the first refusal, which is the last."""
    verdicts = []
    for function in _of_stage(stage):
        verdicts.append(function(asked))
        if verdicts[-1].refusal is not None:
            break
    return verdicts
