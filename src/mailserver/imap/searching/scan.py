"""Tries a program on one slice of a mailbox: what the session knows, flags, columns, then headers, then bodies.

Spec: RFC 3501 §6.4.4.  Status: complete.

Each stage looks only at messages that the stages before left undecided.  The work is done in steps, each in a short
read transaction of its own and bounded in octets; the next one goes on where it stopped, even inside a long body.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mailserver.base.errors import Expunged
from mailserver.base.ids import MailboxId
from mailserver.imap.fetching.item import flag_sets
from mailserver.imap.searching.bits import full, pack, select
from mailserver.imap.searching.body import Needle, at_once, search
from mailserver.imap.searching.flag_sets import Flags, matching, verdicts
from mailserver.imap.searching.key import Key, Slice, Verdict
from mailserver.imap.searching.octets import Octets
from mailserver.imap.searching.prefilter import WORTH, Hint
from mailserver.imap.searching.program import Known, Program
from mailserver.store.tx import Read

#: octets of messages that one step looks at
STEP: Final = 2_097_152

#: columns that the row in the mailbox has by itself; others cost a look at the message
INDEX: Final = frozenset({"uid", "internal_at", "size", "modseq"})

_FIELDS = 1_048_576  # octets of a header block that HEADER looks at
_LONG = frozenset({"envelope", "layout", "octets"})
_MESSAGE = ("blob", "size", "header_size", "layout", "octets")
#: octets of long columns that are held at a time
HELD: Final = 1_048_576
_KEY = 64  # octets that asking one key about one message counts for
_SHARE = (
    4  #: one undecided message in so many: then the flags of the whole mailbox are read, and kept
)


class Scan:
    """A program at work on one slice.  *step* it until it is done, then *found* tells the result."""

    def __init__(
        self, program: Program, mailbox: MailboxId, slice_: Slice, flags: Flags | None = None
    ) -> None:
        """Asks what the session knows.  Raises PeerError for a sequence number that does not exist."""
        self._program, self._mailbox, self._slice, self._flags = program, mailbox, slice_, flags
        self._size = len(slice_.uids)
        self._there = full(self._size)  # messages not known to be gone
        self._known = [self._by_number(key) for key in program.keys]
        self._take_hints(program.hints.about(mailbox))
        self._stages: Iterator[None] | None = None
        self._tx: Read | None = None
        self._left = 0  # octets that this step may still look at

    def _by_number(self, key: Key) -> Known:
        perhaps = key.by_number(self._slice) if key.by_number else full(self._size)
        is_final = not (key.by_flags or key.by_columns or key.by_header or key.in_body is not None)
        return Known(perhaps if is_final else 0, perhaps)

    @property
    def is_done(self) -> bool:
        """Every message is decided."""
        return not self._undecided()

    @property
    def found(self) -> int:
        """The messages that match, as bits of the slice."""
        return self._program.evaluate(self._known, self._size).surely & self._there

    def glance(self, tx: Read) -> Known:
        """What can be told of all messages without looking at any: flags that are known, and what the index says."""
        self._tx = tx
        keys = self._program.keys
        self._know_flags([n for n, key in enumerate(keys) if key.by_flags])
        if not any(key.by_columns and INDEX.issuperset(key.columns) for key in keys):
            self._ask_index()
        self._tx = None
        surely, perhaps = self._program.evaluate(self._known, self._size)
        return Known(surely & self._there, perhaps & self._there)

    def step(self, tx: Read) -> None:
        """Go on for a while; a message that is gone by now matches nothing."""
        self._tx, self._left = tx, STEP
        if self._stages is None:
            self._stages = self._run()
        for _ in self._stages:
            if self._left <= 0:
                break
        self._tx = None

    def _undecided(self) -> int:
        surely, perhaps = self._program.evaluate(self._known, self._size)
        return perhaps & ~surely & self._there

    def _run(self) -> Iterator[None]:
        """All stages; yields wherever the work may be put down until the next step."""
        keys = self._program.keys
        yield from self._by_flags([n for n, key in enumerate(keys) if key.by_flags])
        with_columns = [n for n, key in enumerate(keys) if key.by_columns]
        short = [n for n in with_columns if INDEX.issuperset(keys[n].columns)]
        yield from self._columns(short)
        self._ask_index()
        yield from self._columns([n for n in with_columns if n not in short])
        yield from self._headers([n for n, key in enumerate(keys) if key.by_header])
        yield from self._bodies([n for n, key in enumerate(keys) if key.in_body is not None])
        self._there &= ~self._undecided()

    def _ask_index(self) -> None:
        """Let the text index narrow down what must be read, if that is much."""
        program, tx = self._program, self._read()
        undecided = self._undecided().bit_count()
        is_needed = undecided > 0 and self._needs_index(tx)
        if is_needed or undecided >= WORTH:
            open_ = None if is_needed else undecided * self._slice.exists // self._size
            self._take_hints(program.hints.ask(tx, self._mailbox, program.keys, open_))

    def _needs_index(self, tx: Read) -> bool:
        """The index finds more than reading does."""
        return tx.search.finds_attached or any(
            key.sought is not None and key.sought.loosely for key in self._program.keys
        )

    def _take_hints(self, hints: Mapping[int, Hint]) -> None:
        for n, hint in hints.items():
            surely, perhaps = self._known[n]
            yes, maybe = hint.on(self._slice.uids)
            self._known[n] = Known(surely | yes & perhaps, perhaps & (surely | maybe))

    def _by_flags(self, keys: list[int]) -> Iterator[None]:
        """Ask the *keys* that look at flags."""
        self._know_flags(keys)
        keys, pending = self._open(keys)
        while pending:
            rows, pending = self._rows(pending, "flags", "keywords")
            if not rows:
                continue
            uids, flags, keywords = zip(*rows, strict=True)
            sets = flag_sets(flags, keywords)
            for n in keys:
                if test := self._program.keys[n].by_flags:
                    self._learn(n, uids, verdicts(sets, test))
                self._left -= _KEY * len(rows)
                yield

    def _know_flags(self, keys: list[int]) -> None:
        """Ask the *keys* that look at flags, if these are known of the whole mailbox, or worth knowing."""
        keys, pending = self._open(keys)
        if not keys or self._flags is None:
            return
        is_needed = len(pending) * _SHARE >= self._slice.exists
        known = self._flags.look(self._read(), self._mailbox, is_needed=is_needed)
        if known is None:
            return
        here = array("I", self._slice.uids)
        uids, sets = known.of(here)
        for n in keys:
            if test := self._program.keys[n].by_flags:
                if len(uids) == self._size:
                    self._learn_bits(n, matching(sets, test))
                else:
                    self._learn(n, uids, verdicts(sets, test))
        if len(uids) < self._size:
            there = frozenset(uids)
            self._there &= pack([uid in there for uid in here])

    def _columns(self, keys: list[int]) -> Iterator[None]:
        """Ask the *keys* that look at stored columns."""
        keys, pending = self._open(keys)
        names = sorted({column for n in keys for column in self._program.keys[n].columns})
        while pending:
            rows, pending = self._rows(pending, *names)
            if not rows:
                continue
            turned = dict(zip(("uid", *names), zip(*rows, strict=True), strict=True))
            for n in keys:
                key = self._program.keys[n]
                if key.by_columns:
                    columns = [turned[column] for column in key.columns]
                    self._learn(n, turned["uid"], list(key.by_columns(*columns)))
                self._left -= _KEY * len(rows)
                yield

    def _headers(self, keys: list[int]) -> Iterator[None]:
        """Ask the *keys* that look at the header."""
        keys, pending = self._open(keys)
        while pending:
            rows, pending = self._rows(pending, "blob", "header_size")
            uids: list[int] = []
            verdicts: dict[int, list[Verdict]] = {n: [] for n in keys}
            for uid, blob, size in rows:
                size = min(size, _FIELDS)
                try:
                    block = self._read().blobs.read(blob, 0, size)
                except Expunged:
                    self._drop(uid)
                    continue
                uids.append(uid)
                for n in keys:
                    test = self._program.keys[n].by_header
                    verdicts[n].append(test(block) if test else None)
                self._left -= size + _KEY * len(keys)
                yield
            for n in keys:
                self._learn(n, uids, verdicts[n])

    def _bodies(self, keys: list[int]) -> Iterator[None]:
        """Ask the *keys* that look at the whole text: all that are open for a message, in one pass over it."""
        keys, pending = self._open(keys)
        needles = {n: self._needle(n) for n in keys}
        open_bits = {n: self._unknown(n) for n in keys}
        said: dict[int, dict[int, bool]] = {n: {} for n in keys}  # key -> UID -> verdict
        while pending:
            rows, pending = self._rows(pending, *_MESSAGE)
            for uid, blob, size, header_size, layout, whole in rows:
                found = at_once(whole, header_size, layout, needles.values()) if whole else None
                if found is None:
                    bit = self._bit(uid)
                    asked = {needles[n] for n in keys if open_bits[n] & bit}
                    found = set()
                    octets = Octets(self._read(), blob, size, whole)
                    taken = octets.taken  # counted with the row
                    try:
                        for _ in search(octets, header_size, layout, asked, found):
                            if octets.taken != taken:
                                self._left -= octets.taken - taken
                                taken = octets.taken
                                yield
                                octets.tx = self._read()
                    except Expunged:
                        self._drop(uid)
                    self._left -= octets.taken - taken
                for n in keys:
                    said[n][uid] = needles[n] in found
                self._left -= _KEY * len(keys)
                if self._left <= 0:
                    yield
            yield
        for n in keys:
            self._learn(n, list(said[n]), list(said[n].values()))

    def _needle(self, n: int) -> Needle:
        key = self._program.keys[n]
        return Needle(key.in_body or "", key.in_headers)

    def _read(self) -> Read:
        """The transaction of this step."""
        assert self._tx is not None
        return self._tx

    def _unknown(self, n: int) -> int:
        """The messages of which key *n* does not know yet."""
        return self._known[n].perhaps & ~self._known[n].surely

    def _open(self, keys: list[int]) -> tuple[list[int], Sequence[int]]:
        """Those of *keys* that can still tell something about undecided messages, and the UIDs of these messages."""
        undecided = self._undecided()
        keys = [n for n in keys if self._unknown(n) & undecided]
        return keys, select(undecided, self._slice.uids) if keys else ()

    def _rows(
        self, pending: Sequence[int], *columns: str
    ) -> tuple[list[tuple[Any, ...]], Sequence[int]]:
        """Rows of the first messages of *pending*, as many as are worth holding, and the UIDs of the others."""
        which: Sequence[int] | Sequence[tuple[int, int]] = pending
        if len(pending) == self._size and self._slice.is_dense:
            which = [(pending[0], pending[-1])]
        long = [n for n, column in enumerate(columns, 1) if column in _LONG]
        rows: list[tuple[Any, ...]] = []
        held = 0
        rest: Sequence[int] = ()
        for row in self._read().messages.rows(self._mailbox, which, "uid", *columns):
            rows.append(row)
            for n in long:
                held += len(row[n] or b"")
            if held > HELD:
                rest = pending[bisect_right(pending, row[0]) :]
                break
        taken = pending[: len(pending) - len(rest)]
        if len(rows) < len(taken):
            here = {row[0] for row in rows}
            for uid in taken:
                if uid not in here:
                    self._drop(uid)
        self._left -= held + 64 * len(rows)
        return rows, rest

    def _drop(self, uid: int) -> None:
        """The message is gone."""
        self._there &= ~self._bit(uid)

    def _bit(self, uid: int) -> int:
        """The message as a set of its own."""
        return 1 << (self._size - 1 - bisect_left(self._slice.uids, uid))

    def _learn_bits(self, n: int, matching: int) -> None:
        """Key *n* matches just these messages."""
        surely, perhaps = self._known[n]
        self._known[n] = Known(surely | matching & perhaps, perhaps & (surely | matching))

    def _learn(self, n: int, uids: Sequence[int], verdicts: Sequence[Verdict]) -> None:
        """Key *n* has said *verdicts* about the messages *uids*, ascending."""
        surely, perhaps = self._known[n]
        if len(uids) == self._size:
            asked, yes = full(self._size), pack(verdicts)
            maybe = yes | pack([v is None for v in verdicts]) if None in verdicts else yes
        else:
            said = dict(zip(uids, verdicts, strict=True))
            here = self._slice.uids
            asked = pack([uid in said for uid in here])
            yes = pack([said.get(uid) for uid in here])
            maybe = yes | pack([said.get(uid, False) is None for uid in here])
        asked &= perhaps & ~surely
        self._known[n] = Known(surely | yes & asked, perhaps & (maybe | ~asked))
