"""By what messages are sorted: the grammar of SORT's criteria, and where each finds its values.

Spec: RFC 5256 §2.2, §3, §5; RFC 5957 §4; RFC 6203 §6.  Status: complete.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

from mailserver.imap.parser import Parser
from mailserver.imap.sorting import display
from mailserver.mime.collation import collated

#: what the messages of a mailbox are compared by; all values of one criterion are of one kind
Values: TypeAlias = list[str] | list[int]


@dataclass(frozen=True, slots=True)
class Source:
    """columns: what `messages.rows` has to give.      values: of each message, from a sequence for each column."""

    columns: tuple[str, ...]
    values: Callable[..., Values]


def _as_they_are(column: Sequence[int]) -> Values:
    return list(column)


def _texts(column: Sequence[str]) -> Values:
    return [collated(text) for text in column]


def _sent(sent: Sequence[int | None], arrived: Sequence[int]) -> Values:
    """The sent date; the internal date where there is none (RFC 5256 §2.2)."""
    return [b if a is None else a for a, b in zip(sent, arrived, strict=True)]


def _displayed(place: int, envelopes: Sequence[bytes]) -> Values:
    return [collated(display.display(envelope, place)) for envelope in envelopes]


SOURCES: Final[dict[str, Source]] = {
    "ARRIVAL": Source(("internal_at",), _as_they_are),
    "CC": Source(("sort_cc",), _texts),
    "DATE": Source(("sent_at", "internal_at"), _sent),
    "DISPLAYFROM": Source(("envelope",), partial(_displayed, display.FROM)),
    "DISPLAYTO": Source(("envelope",), partial(_displayed, display.TO)),
    "FROM": Source(("sort_from",), _texts),
    "SIZE": Source(("size",), _as_they_are),
    "SUBJECT": Source(("base_subject",), _texts),
    "TO": Source(("sort_to",), _texts),
}

#: sorts by the scores of the search itself, the highest first (RFC 6203 §6)
RELEVANCY: Final = "RELEVANCY"


class Criterion(NamedTuple):
    """One criterion, perhaps in descending order."""

    name: str
    is_reverse: bool = False

    @property
    def source(self) -> Source:
        """Where its values come from; RELEVANCY has none."""
        return SOURCES[self.name]


#: the first one counts most
Criteria: TypeAlias = tuple[Criterion, ...]


def parse_criteria(p: Parser) -> Criteria:
    """ "(" sort-criterion *(SP sort-criterion) ")" (RFC 5256 §5).

    A criterion that is named again is left out: what it could tell apart has been told apart.
    """
    found: dict[str, Criterion] = {}

    def criterion(p: Parser) -> None:
        name = p.word()
        is_reverse = name == "REVERSE"
        if is_reverse:
            name = p.sp().word()
        if name not in SOURCES and name != RELEVANCY:
            raise p.error("unknown sort criterion")
        found.setdefault(name, Criterion(name, is_reverse))

    p.group(criterion)
    return tuple(found.values())


def columns_of(criteria: Criteria) -> tuple[str, ...]:
    """All columns that *criteria* need, each once."""
    return tuple(dict.fromkeys(c for one in criteria for c in one.source.columns))


def values_of(criteria: Criteria, columns: Mapping[str, Sequence[Any]]) -> list[Values]:
    """The values of each criterion, from the columns by name."""
    return [one.source.values(*[columns[name] for name in one.source.columns]) for one in criteria]
