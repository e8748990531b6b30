"""The selected mailbox as this client has been told of it: sequence numbers, UIDs, what is still to be told.

Spec: RFC 3501 §2.3.1.2, §5.2, §7.3, §7.4.  Status: complete.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from mailserver.base.errors import PeerError
from mailserver.base.ids import MailboxId, ModSeq, Seq, Uid, UidValidity
from mailserver.base.numset import NumSet
from mailserver.imap import flags, response
from mailserver.imap.response import Response
from mailserver.store.values import Delta, FlagRow


class View:
    r"""One client's picture of one mailbox.

    uids:      what the client counts, ascending: number 1 is uids[0].  Never changed in place, so that the clients of
               one mailbox share it.
    modseq:    everything up to here has been told, except the expunges in *gone*.
    uidnext:   messages from here on are unknown to the client.
    gone:      expunged, but the client may not hear of it yet (RFC 3501 §7.4.1); still in *uids*.
    keywords:  what FLAGS told: lower case -> as written.  Never changed in place either.
    recent:    how many messages have \Recent (RFC 3501 §7.3.2).
    read_only: opened with EXAMINE.
    saved:     UIDs that "$" stands for, ascending (RFC 5182 §2.1); what is expunged by then drops out when it is used.
    """

    __slots__ = (
        "_recent",
        "gone",
        "keywords",
        "mailbox",
        "modseq",
        "read_only",
        "recent",
        "saved",
        "uidnext",
        "uids",
        "uidvalidity",
    )

    def __init__(
        self,
        mailbox: MailboxId,
        uidvalidity: UidValidity,
        uidnext: Uid,
        modseq: ModSeq,
        uids: "array[int]",
        keywords: Mapping[str, str] | None = None,
        recent: tuple[Uid, Uid] | None = None,
        *,
        read_only: bool = False,
    ) -> None:
        self.mailbox, self.uidvalidity = mailbox, uidvalidity
        self.uidnext, self.modseq, self.uids = uidnext, modseq, uids
        self.keywords: Mapping[str, str] = keywords or {}
        self.gone: tuple[Uid, ...] = ()
        self._recent: tuple[tuple[Uid, Uid], ...] = (recent,) if recent else ()
        self.recent = 0
        if recent:
            self.recent = bisect_left(uids, recent[1] + 1) - bisect_left(uids, recent[0])
        self.read_only = read_only
        self.saved: Sequence[int] = ()

    # what the client means

    def __len__(self) -> int:
        return len(self.uids)

    def uid(self, seq: int) -> Uid:
        """The UID of message *seq*.  Raises PeerError where there is none."""
        if not 1 <= seq <= len(self.uids):
            raise PeerError(f"there is no message {seq}")
        return Uid(self.uids[seq - 1])

    def seq(self, uid: int) -> Seq | None:
        """The number of the message *uid*; None if the client does not know of it."""
        at = bisect_left(self.uids, uid)
        return Seq(at + 1) if at < len(self.uids) and self.uids[at] == uid else None

    def spans(self, messages: NumSet) -> list[tuple[int, int]]:
        """*messages* as ascending, disjoint (first, end) index pairs: uids[first:end], numbers first+1 to end.

        Unknown UIDs drop out (RFC 3501 §6.4.8).  Raises PeerError for a sequence number without a message
        (RFC 9051 §9, seq-number).
        """
        uids, count = self.uids, len(self.uids)
        out: list[tuple[int, int]] = []
        if messages.is_saved:
            return self._spans_of(self.saved)
        if not messages.is_uid:
            if count == 0:
                raise PeerError("there are no messages")
            for low, high in messages.resolve(count):
                if high > count:
                    raise PeerError(f"there is no message {high}")
                out.append((low - 1, high))
            return out
        for low, high in messages.resolve(uids[-1] if count else 0):
            first = bisect_left(uids, low)
            end = bisect_left(uids, high + 1, first)
            if first < end:
                if out and out[-1][1] == first:
                    out[-1] = (out[-1][0], end)
                else:
                    out.append((first, end))
        return out

    def _spans_of(self, wanted: Sequence[int]) -> list[tuple[int, int]]:
        """Index pairs as `spans` has them, of those of the ascending UIDs *wanted* that the client knows of."""
        out: list[tuple[int, int]] = []
        for seq, _ in self.numbered(wanted):
            if out and out[-1][1] == seq - 1:
                out[-1] = (out[-1][0], seq)
            else:
                out.append((seq - 1, seq))
        return out

    def select(self, messages: NumSet) -> Sequence[Uid]:
        """The UIDs that *messages* means, ascending; see `spans`."""
        spans = self.spans(messages)
        if len(spans) == 1:
            first, end = spans[0]
            return cast("Sequence[Uid]", self.uids[first:end])
        out = array("I")
        for first, end in spans:
            out.extend(self.uids[first:end])
        return cast("Sequence[Uid]", out)

    def numbered(self, uids: Sequence[int]) -> list[tuple[Seq, Uid]]:
        """(number, UID) of those of the ascending *uids* that the client knows of."""
        out: list[tuple[Seq, Uid]] = []
        known, at = self.uids, 0
        for uid in uids:
            at = bisect_left(known, uid, at)
            if at == len(known):
                break
            if known[at] == uid:
                out.append((Seq(at + 1), Uid(uid)))
        return out

    # \Recent

    def is_recent(self, uid: int) -> bool:
        r"""Whether \Recent is among the message's flags in this session (RFC 3501 §2.3.2)."""
        at = bisect_right(self._recent, uid, key=_first)
        return at > 0 and uid <= self._recent[at - 1][1]

    @property
    def recent_spans(self) -> tuple[tuple[Uid, Uid], ...]:
        r"""(first, last) UIDs that have \Recent in this session, ascending, both ends included."""
        return self._recent

    # what the client is told

    def told(self, row: FlagRow, seq: int) -> Response:
        """FETCH with the flags of *row*, and its UID (RFC 3501 §6.4.8, §7.4.2)."""
        text = flags.text(row.flags, row.keywords, is_recent=self.is_recent(row.uid))
        return Response(b"* %d FETCH (UID %d FLAGS (%b))\r\n" % (seq, row.uid, text))

    def apply(
        self,
        delta: Delta,
        *,
        expunges: bool,
        recent_from: Uid | None = None,
        shared: "array[int] | None" = None,
        known: Mapping[Uid, ModSeq] | None = None,
    ) -> list[Response]:
        r"""What the client has to hear of *delta*, which starts at *modseq*; it counts as told from now on.

        Order: EXPUNGE (highest number first), EXISTS, RECENT, FLAGS, FETCH.
        expunges:     EXPUNGE may be sent now; otherwise they wait in *gone* (RFC 3501 §7.4.1).
        recent_from:  new messages from here on have \Recent in this session.
        shared:       the mailbox's UIDs as of *delta*, used in place of an own copy if nothing waits in *gone*.
        known:        rows that the client has been told already, or knows because it asked for them: UID -> modseq.
        """
        out: list[Response] = []
        before = self.recent
        if delta.expunged:
            self.gone = tuple(sorted({*self.gone, *(u for _, u in self.numbered(delta.expunged))}))
        if self.gone and expunges:
            out += self._expunge()
        changed = [
            row
            for row in delta.flags
            if not row.is_new and not (known and known.get(row.uid) == row.modseq)
        ]
        new = array("I", (row.uid for row in delta.flags if row.is_new))
        if new:
            if recent_from is not None and new[-1] >= recent_from:
                self._add_recent(Uid(max(new[0], recent_from)), Uid(new[-1]))
                self.recent += len(new) - bisect_left(new, recent_from)
            self.uids = self.uids + new if shared is None or self.gone else shared
            out.append(response.exists(len(self.uids)))
        elif shared is not None and not self.gone:
            self.uids = shared
        self.modseq = delta.modseq
        self.uidnext = delta.uidnext
        if new or self.recent != before:
            out.append(response.recent(self.recent))
        out += self.tell_keywords(row.keywords for row in delta.flags if row.keywords)
        for row in changed:
            seq = self.seq(row.uid)
            if seq is not None and row.uid not in self.gone:
                out.append(self.told(row, seq))
        return out

    def tell_keywords(self, keywords: Iterable[str]) -> list[Response]:
        r"""FLAGS and PERMANENTFLAGS if any of *keywords* is new to the client (RFC 3501 §7.2.6).

        keywords: one row's each, joined with spaces.
        """
        fresh: dict[str, str] = {}
        for joined in set(keywords):
            for name in joined.split(" "):
                if name.lower() not in self.keywords:
                    fresh[name.lower()] = name
        if not fresh:
            return []
        self.keywords = {**self.keywords, **fresh}
        return flag_names(self.keywords.values(), read_only=self.read_only)

    def _expunge(self) -> list[Response]:
        """Forget *gone*: highest number first, so that the lower ones stay true while the client counts."""
        out: list[Response] = []
        rest = array("I")
        at = 0
        for seq, uid in self.numbered(self.gone):
            out.append(response.expunge(seq))
            self.recent -= self.is_recent(uid)
            rest.extend(self.uids[at : seq - 1])
            at = seq
        rest.extend(self.uids[at:])
        self.uids, self.gone = rest, ()
        out.reverse()
        return out

    def _add_recent(self, low: Uid, high: Uid) -> None:
        if self._recent and self._recent[-1][1] >= low - 1:
            self._recent = (*self._recent[:-1], (self._recent[-1][0], high))
        else:
            self._recent = (*self._recent, (low, high))


def _first(span: tuple[Uid, Uid]) -> int:
    return span[0]


def flag_names(keywords: Iterable[str], *, read_only: bool = False) -> list[Response]:
    r"""FLAGS and PERMANENTFLAGS of a mailbox with *keywords* (RFC 3501 §7.1, §7.2.6).

    Anybody may make up keywords, hence \*; nothing can be changed in a mailbox that is open for reading only.
    """
    names = b" ".join(
        (*flags.SYSTEM, *(k.encode("ascii") for k in sorted(keywords, key=str.lower)))
    )
    permanent = "" if read_only else names.decode("ascii") + r" \*"
    return [
        response.flags(names),
        response.ok(f"PERMANENTFLAGS ({permanent})", "Flags that are kept."),
    ]
