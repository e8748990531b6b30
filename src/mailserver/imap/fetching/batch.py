"""Reads what a FETCH plan needs of some messages, in one short transaction, and stops when it has enough.

Spec: RFC 3501 §6.4.5.  Status: complete.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, cast

from mailserver.base.errors import Corrupt, Expunged
from mailserver.base.ids import MailboxId, MessageId, Uid
from mailserver.imap import wire
from mailserver.imap.fetching.chosen import Chosen
from mailserver.imap.fetching.decoded import UnknownEncoding
from mailserver.imap.fetching.item import Binary, Columns, Cut, Preview
from mailserver.imap.fetching.known_flags import MailboxFlags
from mailserver.imap.fetching.pieces import INLINE_SIZE, Bare, Message, Piece
from mailserver.imap.fetching.plan import Plan
from mailserver.mime.layout import unpack
from mailserver.store.database import Row
from mailserver.store.tx import Read

#: octets, read or to be sent, after which a batch takes no further message
SIZE: Final = 1_048_576
#: previews that a batch makes of those asked for with LAZY (RFC 8970 §4.1)
LAZY: Final = 64

_LONG = frozenset({"envelope", "body", "bodystructure", "layout", "header"})


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction found.

    taken:   how many of the messages asked for are dealt with.     missing: how many of these are gone.
    damaged: UIDs of those whose octets are not what was stored; they are left out.
    encoded: how many have a part that nobody can decode (RFC 3516 §4.3); they are left out, too.
    seqs, rows, pieces: of each message that is there, in order.    pieces: a plan's sections, None for no such part.
    previews: those that were made for it and are not kept yet.
    """

    taken: int
    missing: int
    damaged: Sequence[int]
    encoded: int
    seqs: Sequence[int]
    rows: Columns
    pieces: Sequence[Sequence[Piece]]
    previews: Mapping[MessageId, str] = field(default_factory=dict)


def read(
    tx: Read, mailbox: MailboxId, plan: Plan, chosen: Chosen, recent: Sequence[tuple[int, int]]
) -> Batch:
    r"""As many of the *chosen* messages, from the first on, as fit into a batch.

    recent: spans of UIDs that have \Recent in this session, both ends included.
    """
    columns = ("uid", *plan.columns)
    rows = tx.messages.rows(mailbox, chosen.which(), *columns)
    if plan.cuts:
        return _of_sections(rows, columns, _Cutter(tx, plan, columns), chosen, recent)
    found, is_full = _some(rows, [n for n, column in enumerate(columns) if column in _LONG])
    taken = bisect_right(chosen.uids, found[-1][0]) if is_full else len(chosen)
    there = _columns(found, columns, recent)
    numbers = chosen.numbers_of(there.uids)
    return Batch(taken, taken - len(found), (), 0, numbers, there, ())


def _some(rows: Iterable[Row], long: Sequence[int]) -> tuple[list[Row], bool]:
    """As many of *rows* as fit, with *long* columns; whether there may be more."""
    if not long:
        return list(rows), False
    found: list[Row] = []
    size = 0
    for row in rows:
        found.append(row)
        for n in long:
            size += len(row[n])
        if size >= SIZE:
            return found, True
    return found, False


def _of_sections(
    rows: Iterable[Row],
    columns: Sequence[str],
    cutter: "_Cutter",
    chosen: Chosen,
    recent: Sequence[tuple[int, int]],
) -> Batch:
    """As many of *rows* as fit, with what *cutter* cuts out of their messages."""
    long = [n for n, column in enumerate(columns) if column in _LONG]
    found: list[Row] = []
    pieces: list[list[Piece]] = []
    damaged: list[int] = []
    size = last = encoded = 0
    is_full = False
    for row in rows:
        if size >= SIZE:
            is_full = True
            break
        last = row[0]
        try:
            cut = cutter(row)
        except Expunged:
            continue
        except Corrupt:
            damaged.append(last)
            continue
        except UnknownEncoding:
            encoded += 1
            continue
        pieces.append(cut)
        found.append(row)
        size += cutter.taken
        for n in long:
            size += len(row[n] or b"")
    taken = bisect_right(chosen.uids, last) if is_full else len(chosen)
    there = _columns(found, columns, recent)
    missing = taken - len(found) - len(damaged) - encoded
    numbers = chosen.numbers_of(there.uids)
    return Batch(taken, missing, damaged, encoded, numbers, there, pieces, cutter.previews)


def _columns(
    rows: Sequence[Row], columns: Sequence[str], recent: Sequence[tuple[int, int]]
) -> Columns:
    turned: list[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * len(columns)
    return Columns(turned[0], dict(zip(columns, turned, strict=True)), recent)


def of_flags(flags: MailboxFlags, chosen: Chosen, recent: Sequence[tuple[int, int]]) -> Batch:
    """All of the *chosen* messages, of which nothing but UIDs and flags is asked for."""
    uids, sets = flags.of(chosen.uids)
    rows = Columns(cast("Sequence[Uid]", uids), {}, recent, sets)
    return Batch(len(chosen), len(chosen) - len(uids), (), 0, chosen.numbers_of(uids), rows, ())


class _Cutter:
    """Cuts the sections of a plan out of the message of a row."""

    def __init__(self, tx: Read, plan: Plan, columns: Sequence[str]) -> None:
        self.tx, self.cuts = tx, plan.cuts
        at = {column: n for n, column in enumerate(columns)}
        self.blob, self.size, self.header_size = at["blob"], at["size"], at["header_size"]
        self.layout, self.header = at.get("layout"), at.get("header", 0)
        self.octets, self.sha256 = at.get("octets", 0), at.get("sha256", 0)
        self.of_header = [cut for cut in plan.cuts if isinstance(cut, Cut)]
        self.names = sum([len(cut.name) + 16 for cut in plan.cuts])
        self.message, self.preview = at.get("message", 0), at.get("preview", 0)
        self.taken = 0  # octets that the last message cost
        self.previews: dict[MessageId, str] = {}  # those that were not kept yet

    def __call__(self, row: tuple[Any, ...]) -> list[Piece]:
        """Raises Expunged, Corrupt, UnknownEncoding."""
        if self.header:
            header = row[self.header]
            # a message that is all header is checked against its hash, and a long one is streamed
            if header and len(header) == row[self.header_size] < min(row[self.size], INLINE_SIZE):
                self.taken = self.names
                return [cut.choice(header) if cut.choice else header for cut in self.of_header]
        if self.octets and (octets := row[self.octets]) is not None:
            if sha256(octets).digest() != row[self.sha256]:
                raise Corrupt("The stored message is damaged.")
            self.taken = self.names + len(octets)
            return [octets] * len(self.cuts)
        blob, read = row[self.blob], self.tx.blobs.read
        message = Message(
            blob,
            row[self.size],
            row[self.header_size],
            lambda offset, length: read(blob, offset, length),
            lambda: unpack(row[self.layout or 0]),
        )
        pieces = [
            message.piece(cut)
            if isinstance(cut, Cut)
            else message.binary(cut)
            if isinstance(cut, Binary)
            else self._preview(cut, message, row)
            for cut in self.cuts
        ]
        self.taken = self.names + message.taken
        return pieces

    def _preview(self, item: Preview, message: Message, row: tuple[Any, ...]) -> Piece:
        kept = row[self.preview]
        if kept is None:
            if item.is_lazy and len(self.previews) >= LAZY:
                return Bare(b"NIL")
            kept = self.previews[row[self.message]] = message.preview()
        return Bare(wire.string(kept.encode()))
