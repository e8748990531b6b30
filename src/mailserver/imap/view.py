"""The selected mailbox as this client has been told of it: sequence numbers, UIDs, what is still to be told.

Spec: RFC 3501 §2.3.1.2, §5.2, §7.3, §7.4; RFC 7162 §6.  Status: complete.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from mailserver.base.errors import PeerError
from mailserver.base.ids import MailboxId, ModSeq, Seq, Uid, UidValidity
from mailserver.base.numset import NumSet
from mailserver.directory.rights import ALL
from mailserver.imap import flags
from mailserver.imap.dialect import Dialect
from mailserver.imap.response import Response
from mailserver.imap.telling import Step, with_keywords
from mailserver.store.values import FlagRow

if TYPE_CHECKING:
    from mailserver.imap.searching.contexts import Context


class View:
    r"""One client's picture of one mailbox.

    uids:      what the client counts, ascending: number 1 is uids[0].  Never changed in place, so that the clients of
               one mailbox share it.
    modseq:    everything up to here has been told, except the expunges in *gone*.
    synced:    everything up to here has been told: what the client may remember as HIGHESTMODSEQ (RFC 7162 §6).
    sent:      the client has seen modseqs up to here in FETCH responses of the command that runs.
    uidnext:   messages from here on are unknown to the client.
    gone:      expunged, but the client may not hear of it yet (RFC 3501 §7.4.1); still in *uids*.
    keywords:  what FLAGS told: lower case -> as written.  Never changed in place either.
    recent:    how many messages have \Recent (RFC 3501 §7.3.2).
    read_only: opened with EXAMINE.
    takes_recent: messages that are \Recent here are so in no other session (RFC 3501 §2.3.2).
    is_guest:  it is somebody else's mailbox; see `guests`.
    rights:    what the user may do with it, as of the last look (RFC 4314 §2.1).
    contexts:  searches that are kept up to date, by the tags of their commands (RFC 5267 §4.3).
    saved:     UIDs that "$" stands for, ascending (RFC 5182 §2.1); what is expunged by then drops out when it is used.
    """

    __slots__ = (
        "_recent",
        "contexts",
        "gone",
        "is_guest",
        "keywords",
        "mailbox",
        "modseq",
        "read_only",
        "recent",
        "rights",
        "saved",
        "sent",
        "synced",
        "takes_recent",
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
        rights: str = ALL,
        is_guest: bool = False,
        takes_recent: bool | None = None,
    ) -> None:
        self.mailbox, self.uidvalidity = mailbox, uidvalidity
        self.uidnext, self.modseq, self.uids = uidnext, modseq, uids
        self.synced, self.sent = modseq, ModSeq(0)
        self.keywords: Mapping[str, str] = keywords or {}
        self.gone: tuple[Uid, ...] = ()
        self._recent: tuple[tuple[Uid, Uid], ...] = (recent,) if recent else ()
        self.recent = 0
        if recent:
            self.recent = bisect_left(uids, recent[1] + 1) - bisect_left(uids, recent[0])
        self.read_only, self.rights, self.is_guest = read_only, rights, is_guest
        self.takes_recent = not read_only if takes_recent is None else takes_recent
        self.saved: Sequence[int] = ()
        self.contexts: dict[bytes, Context] = {}

    @property
    def settable(self) -> str:
        """Those of the rights that flags can be changed with here."""
        return "" if self.read_only else self.rights

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

    def work(self, messages: NumSet) -> int:
        """How many things `spans` and `select` look at one by one."""
        return len(self.saved) if messages.is_saved else len(messages.ranges)

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
        if not self._recent:
            return False
        at = bisect_right(self._recent, uid, key=_first)
        return at > 0 and uid <= self._recent[at - 1][1]

    @property
    def recent_spans(self) -> tuple[tuple[Uid, Uid], ...]:
        r"""(first, last) UIDs that have \Recent in this session, ascending, both ends included."""
        return self._recent

    # what the client is told

    def told(self, row: FlagRow, seq: int, dialect: Dialect) -> Response:
        """FETCH with the flags of *row*, its UID, and its modseq if wanted (RFC 3501 §6.4.8, §7.4.2)."""
        is_recent = dialect.has_recent and self.is_recent(row.uid)
        text = flags.text(row.flags, row.keywords, is_recent=is_recent)
        return dialect.fetch(seq, row.uid, text, row.modseq)

    def take(self, step: Step) -> list[Response]:
        """What the client is to be told; it counts as told from now on."""
        self.uids, self.gone, self.uidnext = step.uids, step.gone, step.uidnext
        self.modseq, self.synced, self.sent = step.modseq, step.synced, step.sent
        self.keywords = step.keywords
        self._recent, self.recent = step.recent_spans, step.recent
        return step.responses

    def tell_keywords(self, keywords: Iterable[str]) -> list[Response]:
        r"""FLAGS and PERMANENTFLAGS if any of *keywords* is new to the client (RFC 3501 §7.2.6).

        keywords: one row's each, joined with spaces.
        """
        self.keywords, out = with_keywords(self.keywords, keywords, self.settable)
        return out


def _first(span: tuple[Uid, Uid]) -> int:
    return span[0]
