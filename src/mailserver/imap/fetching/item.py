"""The kinds of data items: a value out of stored columns, and what is cut out of the message and perhaps decoded.

Spec: RFC 3501 §6.4.5, §7.4.2; RFC 3516 §4.2; RFC 8970 §3.  Status: complete.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

from mailserver.base.ids import Uid
from mailserver.imap.fetching.fields import Choice, choose
from mailserver.imap.fetching.section import Partial, Section
from mailserver.store.values import FlagRow


class FlagSets(NamedTuple):
    """The flags of many messages, of which few are different.

    kinds: each set of flags once: system flags as bits, keywords joined with spaces.
    which: for each message the place of its set in *kinds*.
    """

    kinds: Sequence[tuple[int, str]]
    which: Sequence[int]


def flag_sets(flags: Sequence[int], keywords: Sequence[str]) -> FlagSets:
    """The sets of messages that have these *flags* and these *keywords*, one of each a message."""
    kinds = list(zip(flags, keywords, strict=True))
    places = {kind: n for n, kind in enumerate(dict.fromkeys(kinds))}
    if len(places) == 1:
        return FlagSets(list(places), bytes(len(kinds)))
    return FlagSets(list(places), [places[kind] for kind in kinds])


_CHANGING = ("flags", "keywords", "modseq")


@dataclass(frozen=True, slots=True)
class Columns:
    r"""Rows of a mailbox, turned: for each column what the rows, ascending by UID, have in it.

    recent: spans of UIDs that have \Recent in this session, both ends included.
    sets:   the columns flags and keywords, where these are not named.
    """

    uids: Sequence[Uid]
    named: dict[str, Sequence[Any]]
    recent: Sequence[tuple[int, int]]
    sets: FlagSets | None = None

    def __getitem__(self, column: str) -> Sequence[Any]:
        return self.named[column]

    def flag_sets(self) -> FlagSets:
        """The flags and keywords of the rows."""
        if self.sets is not None:
            return self.sets
        return flag_sets(self["flags"], self["keywords"])

    def keywords(self) -> set[str]:
        """The different sets of keywords of the rows, joined with spaces."""
        if self.sets is not None:
            return {words for _, words in self.sets.kinds if words}
        return set(filter(None, self["keywords"]))

    def with_flags(self, changed: Mapping[Uid, FlagRow]) -> "Columns":
        """These rows with the flags, keywords and modseqs of those that have changed since."""
        named = {name: list(self[name]) for name in _CHANGING if name in self.named}
        for n, uid in enumerate(self.uids):
            if uid in changed:
                for name, values in named.items():
                    values[n] = getattr(changed[uid], name)
        return replace(self, named=self.named | named)


@dataclass(frozen=True, slots=True)
class Value:
    """An item that stored columns hold.

    form:    the item as it is sent, with one %d or %b for the value.
    values:  what to put there, for each row.
    is_long: they are bytes, much longer than numbers and dates are; *form* ends with %b.
    """

    form: bytes
    values: Callable[[Columns], Iterable[int | bytes]]
    is_long: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """An item that is a section of the message.

    name:   as the response gives it (RFC 3501 §7.4.2).      choice: the fields, for HEADER.FIELDS and its opposite.
    """

    name: bytes
    section: Section
    partial: Partial | None = None
    choice: Choice | None = None

    @property
    def is_of_header(self) -> bool:
        """It is the message's own header, or fields of it."""
        is_own = not self.section.numbers and self.section.text.startswith("HEADER")
        return is_own and self.partial is None

    @property
    def is_whole(self) -> bool:
        """It is all of the message."""
        return not (self.section.numbers or self.section.text or self.partial)


def cut(name: bytes, section: Section, partial: Partial | None = None) -> Cut:
    """The item of this *section*."""
    others = section.text == "HEADER.FIELDS.NOT"
    return Cut(
        name, section, partial, choose(section.fields, others=others) if section.fields else None
    )


@dataclass(frozen=True, slots=True)
class Binary:
    """A part of the message, or its size, without transfer encoding (RFC 3516 §4.2); *section* has numbers at most."""

    name: bytes
    section: Section
    partial: Partial | None = None
    is_size: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """The first words of the message (RFC 8970 §3.2).  is_lazy: NIL where it would take a while."""

    name: bytes
    is_lazy: bool


#: the items that need the message itself
Inner: TypeAlias = Cut | Binary | Preview
Item: TypeAlias = Value | Inner
