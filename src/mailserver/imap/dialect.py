r"""How a client wants to hear of messages: with or without \Recent, modseqs, VANISHED, message numbers.

Spec: RFC 9051 Appendix E (no \Recent); RFC 7162 §3.2.4, §3.2.10; RFC 9586 §3.3, §3.4.  Status: complete.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from mailserver.base.numset import compress
from mailserver.imap import response
from mailserver.imap.response import Response

_LINE = 8_000  # octets after which the UIDs go on in a further VANISHED


@dataclass(frozen=True, slots=True)
class Dialect:
    r"""What a client has switched on, as far as it concerns news of messages.

    has_recent:    \Recent and RECENT exist for it (RFC 3501 §2.3.2).
    has_modseq:    every FETCH that it did not ask for has UID and MODSEQ (RFC 7162 §3.2.4).
    has_vanished:  VANISHED comes in place of EXPUNGE.
    is_uid_only:   UIDFETCH comes in place of FETCH (RFC 9586 §3.3).
    """

    has_recent: bool = True
    has_modseq: bool = False
    has_vanished: bool = False
    is_uid_only: bool = False

    def fetch(self, seq: int, uid: int, flags: bytes | None, modseq: int) -> Response:
        """FETCH with a message's UID and, as far as wanted and given, its flags and modseq (RFC 3501 §7.4.2)."""
        if flags is not None and not (self.has_modseq or self.is_uid_only):  # what most clients get
            return Response(b"* %d FETCH (UID %d FLAGS (%b))\r\n" % (seq, uid, flags))
        items = [] if self.is_uid_only else [b"UID %d" % uid]
        if flags is not None:
            items.append(b"FLAGS (%b)" % flags)
        if self.has_modseq:
            items.append(b"MODSEQ (%d)" % modseq)
        if self.is_uid_only:
            return Response(b"* %d UIDFETCH (%b)\r\n" % (uid, b" ".join(items)))
        return Response(b"* %d FETCH (%b)\r\n" % (seq, b" ".join(items)))

    def expunged(self, numbered: Iterable[tuple[int, int]]) -> list[Response]:
        """What says that the messages (number, UID), ascending, are gone.

        EXPUNGE: the highest number first, so that the lower ones stay true while the client counts.
        """
        if self.has_vanished:
            return vanished(uid for _, uid in numbered)
        out = [response.expunge(seq) for seq, _ in numbered]
        out.reverse()
        return out


def vanished(uids: Iterable[int], *, earlier: bool = False) -> list[Response]:
    """VANISHED with the ascending *uids*, on several lines where there are many (RFC 7162 §3.2.10).

    earlier: they were gone before the mailbox was opened, or were asked about (§3.2.10.1).
    """
    return vanished_ranges(compress(uids).split(","), earlier=earlier)


def vanished_ranges(ranges: Iterable[str], *, earlier: bool) -> list[Response]:
    """The same, of the parts of a set: "7", "9:12"."""
    head = b"VANISHED (EARLIER) " if earlier else b"VANISHED "
    out: list[Response] = []
    line: list[str] = []
    size = 0
    for part in filter(None, ranges):
        line.append(part)
        size += len(part) + 1
        if size >= _LINE:
            out.append(response.line(head + ",".join(line).encode("ascii")))
            line, size = [], 0
    if line:
        out.append(response.line(head + ",".join(line).encode("ascii")))
    return out


@lru_cache(maxsize=256)
def dialect_of(enabled: frozenset[str]) -> Dialect:
    """The dialect of a client that has *enabled* these extensions, named in upper case."""
    is_uid_only = "UIDONLY" in enabled
    return Dialect(
        has_recent="IMAP4REV2" not in enabled,
        has_modseq="CONDSTORE" in enabled,
        has_vanished=is_uid_only or "QRESYNC" in enabled,
        is_uid_only=is_uid_only,
    )
