"""A client that knows only what the server says, whatever it has enabled; it complains of what it may not be told.

Its transport is a function: octets in, everything the server says up to the tagged response out.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

TAGGED = re.compile(rb"x (OK|NO|BAD)(?: \[([^\]]*)\])?")
NUMBERED = re.compile(rb"\* (\d+) (EXISTS|EXPUNGE|RECENT|FETCH|UIDFETCH)(?: \((.*)\))?")
VANISHED = re.compile(rb"\* VANISHED( \(EARLIER\))? ([0-9,:]+)")
HIGHEST = re.compile(rb"\* OK \[HIGHESTMODSEQ (\d+)\]")
VALIDITY = re.compile(rb"\* OK \[UIDVALIDITY (\d+)\]")
#: what a client may enable, in the words of the tests
DIALECTS = {
    "rev1": "",
    "rev2": "IMAP4rev2",
    "condstore": "CONDSTORE",
    "qresync": "QRESYNC",
    "rev2 qresync": "IMAP4rev2 QRESYNC",
    "uidonly": "UIDONLY",
    "uidonly qresync": "UIDONLY QRESYNC",
}


def unrolled(uids: bytes) -> list[int]:
    """The numbers of a set."""
    out: list[int] = []
    for part in uids.decode().split(","):
        low, _, high = part.partition(":")
        out += range(int(low), int(high or low) + 1)
    return out


@dataclass(eq=False)
class Message:
    """What is believed of one; None: not told yet."""

    uid: int | None = None
    flags: set[str] | None = None
    modseq: int | None = None
    is_recent: bool = False


@dataclass
class Saved:
    """What a client keeps between two connections (RFC 7162 §6)."""

    uidvalidity: int
    highest: int
    flags: dict[int, set[str]] = field(default_factory=dict)


class Believer:
    """messages: by number, unless the client has given these up; then in no order."""

    def __init__(self, talk: Callable[[bytes], bytes], mailbox: str, dialect: str) -> None:
        self.talk, self.mailbox, self.dialect = talk, mailbox, dialect
        self.messages: list[Message] = []
        self.recent = 0
        self.uidvalidity = self.highest = 0
        self.earlier: set[int] = set()
        self._seen = 0
        self._said: int | None = None
        enabled = DIALECTS[dialect]
        self.is_rev2, self.is_uid_only = "rev2" in enabled, "UIDONLY" in enabled
        self.has_modseq = "CONDSTORE" in enabled or "QRESYNC" in enabled
        self.has_qresync = "QRESYNC" in enabled
        if enabled:
            self.say(f"ENABLE {enabled}")

    # what it does

    def open(self) -> None:
        """SELECT, and a look at all flags."""
        self.messages, self.recent = [], 0
        self.say(f"SELECT {self.mailbox}")
        if self.messages:
            self.fetch("1:*")

    def resync(self, saved: Saved, *, names_uids: bool) -> None:
        """Come back: QRESYNC; with what was saved, everything is as it is (RFC 7162 §3.2.5)."""
        known = ",".join(map(str, sorted(saved.flags)))
        uids = f" {known}" if names_uids and known else ""
        self.messages, self.earlier = [], set()
        flags = dict(saved.flags)
        self.say(
            f"SELECT {self.mailbox} (QRESYNC ({saved.uidvalidity} {max(saved.highest, 1)}{uids}))",
            flags,
        )
        assert self.uidvalidity == saved.uidvalidity
        self.cache = {uid: f for uid, f in flags.items() if uid not in self.earlier}

    def saved(self) -> Saved:
        """What it would keep if the connection broke now."""
        known = {m.uid: m.flags for m in self.messages if m.uid and m.flags is not None}
        return Saved(self.uidvalidity, self.highest, {u: set(f) for u, f in known.items()})

    def fetch(self, numbers: str, more: str = "") -> bytes:
        items = "(UID FLAGS MODSEQ)" if self.has_modseq else "(UID FLAGS)"
        uid = "UID " if self.is_uid_only else ""
        return self.say(f"{uid}FETCH {numbers} {items}{more}")

    def uid_of(self, number: int) -> int | None:
        """The UID of any message; None where it is not known."""
        return self.messages[number % len(self.messages)].uid if self.messages else None

    def say(self, command: str, cache: dict[int, set[str]] | None = None) -> bytes:
        """Send *command*, hear the answer; *cache*: what is known from before, brought up to date."""
        self._seen, self._said = 0, None
        said = self.talk(b"x " + command.encode() + b"\r\n")
        assert b"SERVERBUG" not in said, (command, said)
        holds_back = command.split(" ")[0] in ("FETCH", "STORE", "SEARCH")
        self.hear(said, expunges=not holds_back, cache=cache)
        return said

    def hear(
        self, said: bytes, *, expunges: bool = True, cache: dict[int, set[str]] | None = None
    ) -> None:
        for line in said.replace(b"{0}\r\n", b"NIL").split(b"\r\n"):
            if m := NUMBERED.match(line):
                self._numbered(int(m[1]), m[2].decode(), m[3] or b"", expunges, cache)
            elif m := VANISHED.match(line):
                if m[1]:
                    self.earlier |= set(unrolled(m[2]))
                else:
                    assert expunges, "RFC 7162 §3.2.10.2"
                    assert self.has_qresync or self.is_uid_only
                    for uid in unrolled(m[2]):
                        self._vanish(uid)
            elif m := HIGHEST.match(line):
                assert self.has_modseq
                self._said = int(m[1])
            elif m := VALIDITY.match(line):
                self.uidvalidity = int(m[1])
            elif m := TAGGED.match(line):
                code = (m[2] or b"").split(b" ")
                if code[0] == b"HIGHESTMODSEQ":
                    self._said = int(code[1])
                self.highest = max(self.highest, self._seen) if self._said is None else self._said
                self._seen, self._said = 0, None

    def _numbered(
        self,
        number: int,
        what: str,
        items: bytes,
        expunges: bool,
        cache: dict[int, set[str]] | None,
    ) -> None:
        if what == "EXISTS":
            assert number >= len(self.messages), "EXISTS never shrinks a mailbox (RFC 3501 §5.2)"
            self.messages += [Message() for _ in range(number - len(self.messages))]
        elif what == "RECENT":
            assert not self.is_rev2, "RFC 9051 Appendix E, 12"
            self.recent = number
        elif what == "EXPUNGE":
            assert expunges, "RFC 3501 §7.4.1"
            assert not self.has_qresync, "RFC 7162 §3.2.10"
            assert not self.is_uid_only, "RFC 9586 §3.4"
            del self.messages[number - 1]
        elif what == "UIDFETCH":
            assert self.is_uid_only
            self._told(self._by_uid(number), number, items, cache)
        else:
            assert not self.is_uid_only, "RFC 9586 §3.3"
            uid = re.search(rb"UID (\d+)", items)
            assert uid, "flags nobody asked for come with the UID (RFC 9051 Appendix E, 21)"
            message = self.messages[number - 1]
            assert message.uid in (None, int(uid[1])), "a number means another message"
            self._told(message, int(uid[1]), items, cache)

    def _told(
        self, message: Message, uid: int, items: bytes, cache: dict[int, set[str]] | None
    ) -> None:
        message.uid = uid
        modseq = re.search(rb"MODSEQ \((\d+)\)", items)
        assert bool(modseq) == self.has_modseq, "RFC 7162 §3.2.4"
        if modseq:
            message.modseq = int(modseq[1])
            self._seen = max(self._seen, message.modseq)
        flags = re.search(rb"FLAGS \(([^)]*)\)", items)
        if flags:
            told = flags[1].decode().split()
            message.is_recent = "\\Recent" in told
            assert not (message.is_recent and self.is_rev2), "RFC 9051 Appendix E, 12"
            message.flags = set(told) - {"\\Recent"}
            if cache is not None:
                cache[uid] = set(message.flags)

    def _by_uid(self, uid: int) -> Message:
        found = [m for m in self.messages if m.uid == uid]
        return found[0] if found else self._unknown(uid)

    def _unknown(self, uid: int) -> Message:
        """Any message whose UID may be this one: with numbers, one between lower and higher UIDs."""
        low, high = 0, len(self.messages)
        if not self.is_uid_only:
            below = [n for n, m in enumerate(self.messages, 1) if m.uid and m.uid < uid]
            above = [n for n, m in enumerate(self.messages) if m.uid and m.uid > uid]
            low, high = max(below, default=low), min(above, default=high)
        unknown = [m for m in self.messages[low:high] if m.uid is None]
        assert unknown, f"nobody has announced message {uid}"
        return unknown[-1]

    def _vanish(self, uid: int) -> None:
        self.messages.remove(self._by_uid(uid))
