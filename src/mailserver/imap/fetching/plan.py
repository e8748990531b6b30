r"""What one FETCH reads and how it writes it: worked out once for the command, then used on every slice of messages.

Spec: RFC 3501 §6.4.5, §7.4.2.  Status: complete.

Values come out of stored columns and are put into one line form, a column at a time; there is no object a message.
Sections follow them in the same response.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, repeat
from operator import mod
from types import MappingProxyType
from typing import Final, cast

from mailserver.base.ids import ModSeq, Uid
from mailserver.imap.conversation import Chunk
from mailserver.imap.dialect import Dialect
from mailserver.imap.fetching.item import Columns, Cut, Inner, Item, Preview, Value
from mailserver.imap.fetching.items.index import flag_kinds, flag_texts
from mailserver.imap.fetching.items.index import uid as uid_item
from mailserver.imap.fetching.items.modseq import modseq as modseq_item
from mailserver.imap.fetching.pieces import Bare, Literal8, Piece
from mailserver.imap.parser import Parser
from mailserver.imap.registry import FETCH_ITEMS, FetchItem
from mailserver.store.values import FlagRow

#: RFC 3501 §6.4.5; a macro stands alone
MACROS: Final = {
    "ALL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"),
    "FAST": ("FLAGS", "INTERNALDATE", "RFC822.SIZE"),
    "FULL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"),
}

_NAME = re.compile(rb"[A-Za-z0-9.\-]+\[?")
_FLAGS = Value(b"FLAGS (%b)", flag_texts)
_UID = uid_item()
_NONE: Mapping[Uid, FlagRow] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Plan:
    r"""The items of one command, each once.

    columns: what `messages.rows` has to give, beside the UID.
    sees:    \Seen is set.
    names_uid: the client has asked for UID by its name.
    """

    values: tuple[Value, ...]
    cuts: tuple[Inner, ...]
    columns: tuple[str, ...]
    sees: bool
    names_uid: bool = True

    @property
    def tells_modseq(self) -> bool:
        """MODSEQ is among the items."""
        return "modseq" in self.columns

    def with_modseq(self) -> "Plan":
        """The same, and MODSEQ (RFC 7162 §3.1.4.1)."""
        if self.tells_modseq:
            return self
        columns = tuple(sorted((*self.columns, "modseq")))
        return replace(self, values=(*self.values, modseq_item()), columns=columns)

    @property
    def tells_flags(self) -> bool:
        """FLAGS is among the items."""
        return any(value.form == _FLAGS.form for value in self.values)

    @property
    def is_flags_only(self) -> bool:
        """Nothing is asked for but FLAGS, and perhaps UID."""
        return self.tells_flags and set(self.columns) == {"flags", "keywords"}

    def responses(
        self,
        seqs: Sequence[int],
        rows: Columns,
        pieces: Sequence[Sequence[Piece]],
        dialect: Dialect,
        changed: Mapping[Uid, FlagRow] = _NONE,
    ) -> list[Chunk]:
        """One FETCH response for each of *rows*, whose numbers are *seqs* and whose sections are *pieces*.

        changed: rows whose flags are news, said even if FLAGS was not asked for (RFC 3501 §6.4.5).
        """
        values, numbers, head = self.values, seqs, b"* %d FETCH ("
        if dialect.is_uid_only:  # the UID is the number (RFC 9586 §3.3)
            numbers, head = rows.uids, b"* %d UIDFETCH ("
            if not self.names_uid:
                values = tuple(value for value in values if value.form != _UID.form)
        if not self.cuts:
            return [b"".join(_texts(head, numbers, values, rows, b")\r\n"))]
        columns = _text_columns(head, numbers, values, rows, b"")
        heads = columns[0] if len(columns) == 1 else map(b"".join, zip(*columns, strict=False))
        ends = [b")\r\n"] * len(rows.uids)
        if changed:
            ends = [
                self._news(uid, flags, changed[uid].modseq, dialect) if uid in changed else end
                for uid, flags, end in zip(rows.uids, flag_texts(rows), ends, strict=True)
            ]
        chunks: list[Chunk] = []
        text: list[bytes] = []
        for head, cuts, end in zip(heads, pieces, ends, strict=True):
            text.append(head)
            gap = b" " if values else b""
            for cut, piece in zip(self.cuts, cuts, strict=True):
                if piece is None:
                    text.append(b"%b%b NIL" % (gap, cut.name))
                elif isinstance(piece, Bare):
                    text.append(b"%b%b %b" % (gap, cut.name, piece.text))
                else:
                    form = b"%b%b {%d}\r\n"
                    if isinstance(piece, Literal8):
                        form, piece = b"%b%b ~{%d}\r\n", piece.chunk
                    if isinstance(piece, bytes):
                        text.append(form % (gap, cut.name, len(piece)))
                        text.append(piece)
                    else:
                        text.append(form % (gap, cut.name, piece.length))
                        chunks += b"".join(text), piece
                        text = []
                gap = b" "
            text.append(end)
        chunks.append(b"".join(text))
        return chunks

    def _news(self, uid: Uid, flags: bytes, modseq: ModSeq, dialect: Dialect) -> bytes:
        """What the end of a response says of flags that have changed by it (RFC 3501 §6.4.5; RFC 7162 §3.2.4)."""
        items = [] if self.tells_flags else [b" FLAGS (%b)" % flags]
        if dialect.has_modseq:
            if not dialect.is_uid_only and all(value.form != _UID.form for value in self.values):
                items.append(b" UID %d" % uid)
            if not self.tells_modseq:
                items.append(b" MODSEQ (%d)" % modseq)
        return b"".join((*items, b")\r\n"))


def parse_items(p: Parser) -> Plan:
    """What FETCH asks for (RFC 3501 §9, fetch): a macro, one item, or a list of items in parentheses."""
    if p.peek(b"("):
        asked = p.group(lambda p: _item(p, _name(p)))
        if len(asked) > p.limits.fetch_items:
            raise p.error(f"more than {p.limits.fetch_items} data items")
    else:
        name = _name(p)
        asked = [_item(p, member) for member in MACROS.get(name, (name,))]
    if not p.is_uid:
        return plan(asked)
    names_uid = any(row.name == "UID" for row, _ in asked)  # if not: as if it did (RFC 3501 §6.4.8)
    return replace(plan([_item(p, "UID"), *asked]), names_uid=names_uid)


def plan(asked: Sequence[tuple[FetchItem, Item]]) -> Plan:
    """The plan for these items; one that is asked for twice is answered once."""
    values: dict[bytes, Value] = {}
    cuts: dict[bytes, Inner] = {}
    columns: dict[str, None] = {}
    sees = False
    for row, item in asked:
        if isinstance(item, Value):
            values[item.form] = item
        elif isinstance(item, Preview):
            cuts[item.name] = item
        else:
            cuts[item.name + (b".%d" % item.partial.length if item.partial else b"")] = item
        columns |= dict.fromkeys(row.needs)
        sees = sees or row.sees
    if any(not isinstance(cut, Preview) and cut.section.numbers for cut in cuts.values()):
        columns["layout"] = None
    if cuts and all(isinstance(cut, Cut) and cut.is_of_header for cut in cuts.values()):
        columns["header"] = None
    if cuts and all(isinstance(cut, Cut) and cut.is_whole for cut in cuts.values()):
        columns |= dict.fromkeys(("octets", "sha256"))
    if sees:
        columns |= dict.fromkeys(("flags", "keywords"))
    return Plan(tuple(values.values()), tuple(cuts.values()), tuple(sorted(columns)), sees)


def _texts(
    head: bytes, numbers: Sequence[int], values: Sequence[Value], rows: Columns, end: bytes
) -> Iterable[bytes]:
    """The text of all rows in pieces: of each row *head* with its number, its *values*, and *end*."""
    columns = _text_columns(head, numbers, values, rows, end)
    return columns[0] if len(columns) == 1 else chain.from_iterable(zip(*columns, strict=False))


def _text_columns(
    head: bytes, numbers: Sequence[int], values: Sequence[Value], rows: Columns, end: bytes
) -> list[Iterable[bytes]]:
    """The pieces of the text of each row, a column for each piece; one that is always the same has no end.

    Short values are put into a form; long ones stand between two, as they are, so that nothing is copied twice.
    """
    pieces: list[Iterable[bytes]] = []
    form = _Form(head, cast("Iterable[int | bytes]", numbers))
    gap = b""
    for value in values:
        if value.is_long:
            form.add(gap + value.form[:-2])
            pieces += [form.texts(), cast("Iterable[bytes]", value.values(rows))]
            form = _Form()
        elif value.form == _FLAGS.form:
            form.add(gap)
            form.add_flags(*flag_kinds(rows))
        else:
            form.add(gap + value.form, value.values(rows))
        gap = b" "
    form.add(end)
    return [*pieces, form.texts()]


class _Form:
    """A piece of the text of each row while it is put together.

    Few messages differ in their flags, so there is a form for each set of flags that has them in it.
    """

    __slots__ = ("_columns", "_forms", "_which")

    def __init__(self, form: bytes = b"", *columns: Iterable[int | bytes]) -> None:
        self._forms, self._columns = [form], [*columns]
        self._which: Sequence[int] | None = None  # of each row the form; None: there is one for all

    def add(self, form: bytes, *columns: Iterable[int | bytes]) -> None:
        """*form* comes next; *columns* are what goes into it."""
        self._forms = [so_far + form for so_far in self._forms]
        self._columns += columns

    def add_flags(self, texts: Sequence[bytes], which: Sequence[int]) -> None:
        """The flags come next, of each row one of *texts*."""
        (so_far,) = self._forms
        escaped = [text.replace(b"%", b"%%") for text in texts]
        self._forms, self._which = [b"%bFLAGS (%b)" % (so_far, text) for text in escaped], which

    def texts(self) -> Iterable[bytes]:
        """The piece of each row; without end if it is always the same."""
        forms, which, columns = self._forms, self._which, self._columns
        if not columns:
            ready = [form % () for form in forms]
            return repeat(ready[0]) if which is None else map(ready.__getitem__, which)
        values = columns[0] if len(columns) == 1 else zip(*columns, strict=True)
        if which is None:
            return map(forms[0].__mod__, values)
        return map(mod, map(forms.__getitem__, which), values)


def _name(p: Parser) -> str:
    return p.take(_NAME, "data item").decode("ascii").upper()


def _item(p: Parser, name: str) -> tuple[FetchItem, Item]:
    row = FETCH_ITEMS.get(name)
    if row is None:
        raise p.error("unknown data item")
    item: Item = row.run() if row.parse is None else row.run(row.parse(p))
    return row, item
