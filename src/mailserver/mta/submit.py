"""What a submission server does to a user's message on its way in: Date and Message-ID are added, Bcc is taken out.

Spec: RFC 6409 §8; RFC 5322 §3.6; RFC 5321 §4.4; RFC 7103 §7.2.  Status: complete.

Every other octet stays as it came, addresses without a domain and fields that are broken in themselves included.  A
line that is no field goes with the field above it, as readers take it; a header section that has one loses Bcc, and
nothing is added to it.
"""

import re

DROPPED = frozenset({b"bcc", b"resent-bcc", b"return-path"})
NAME_SIZE = 1_000  #: octets of an unfinished line in which its name is looked for

_NAME = re.compile(rb"([!-9;-~]+)[ \t]*:")
_NAMES = re.compile(rb"\r\n" + _NAME.pattern)
_BLANKS = (b" ", b"\t")
_COLON = ord(":")


class Submitted:
    """Takes a message in any pieces and gives it out in its final form; only an unfinished line is held.

    date, message_id: the values of these fields if the message lacks them.
    most: octets of a header section beyond which it is left alone; the message will be refused for that.
    """

    __slots__ = (
        "_held",
        "_is_begun",
        "_is_broken",
        "_is_kept",
        "_is_over",
        "_is_within_line",
        "_left",
        "_missing",
    )

    def __init__(self, date: str, message_id: str, most: int) -> None:
        self._missing = {
            b"date": f"Date: {date}\r\n",
            b"message-id": f"Message-ID: {message_id}\r\n",
        }
        self._left = most
        self._held = b""
        self._is_kept = True  # the field that is being read
        self._is_within_line = (
            False  # the beginning of this line has been given out, or not, already
        )
        self._is_begun = self._is_broken = self._is_over = False

    @property
    def more(self) -> int:
        """Octets that may come out beyond those that go in next."""
        return len(self._held) + 2 + sum(map(len, self._missing.values()))

    def feed(self, data: bytes) -> bytes:
        """What can be given out now that *data* has come."""
        if self._is_over:
            return data
        if not self._is_begun:
            self._is_begun = True
            if (done := self._whole(data)) is not None:
                return done
        data = self._held + data
        self._held = b""
        out = []
        at = 0
        while not self._is_over:
            end = data.find(b"\r\n", at)
            if end < 0:
                out.append(self._begun(data[at:]))
                return b"".join(out)
            line = data[at : end + 2]
            at = end + 2
            self._left -= len(line)
            if line == b"\r\n" and not self._is_within_line:
                out.append(self._end())
                out.append(line)
            elif self._keeps(line):
                out.append(line)
            self._is_within_line = False
            self._is_over = self._is_over or self._left <= 0
        out.append(data[at:])
        return b"".join(out)

    def _whole(self, data: bytes) -> bytes | None:
        """The same for a header that is here at once, with no line that is none and nothing to drop, as nearly all are.

        None for another, of which nothing was taken.
        """
        end = data.find(b"\r\n\r\n")
        if end < 0 or end + 4 >= self._left:
            return None
        lines = b"\r\n" + data[:end]
        names = _NAMES.findall(lines)
        folded = lines.count(b"\r\n ") + lines.count(b"\r\n\t")
        if len(names) + folded != lines.count(b"\r\n"):
            return None
        fields = {name.lower() for name in names}
        if not fields.isdisjoint(DROPPED):
            return None
        for name in fields.intersection(self._missing):
            del self._missing[name]
        if not self._missing:
            self._is_over = True
            return data
        return b"".join((data[: end + 2], self._end(), data[end + 2 :]))

    def end(self) -> bytes:
        """What is left when the message has ended: all of it was header if no empty line has come."""
        if self._is_over:
            return b""
        rest = self._held if self._held and self._keeps(self._held) else b""
        self._held = b""
        more = self._end()
        if more and (rest or (self._is_within_line and self._is_kept)):
            rest += b"\r\n"
        return rest + more

    def _begun(self, line: bytes) -> bytes:
        """The beginning of a line, as soon as its name must have come."""
        if len(line) <= NAME_SIZE and not self._is_within_line:
            self._held = line
            return b""
        if line.endswith(b"\r"):
            line, self._held = line[:-1], b"\r"
        self._left -= len(line)
        is_kept = self._keeps(line)
        self._is_within_line = True
        return line if is_kept else b""

    def _keeps(self, line: bytes) -> bool:
        """Whether *line*, or the rest of one, is given out."""
        if self._is_within_line or line.startswith(_BLANKS):
            return self._is_kept
        name = _NAME.match(line)
        if name is None:
            self._is_broken = True
            if _COLON in line:
                self._is_kept = True
            return self._is_kept
        field = name[1].lower()
        self._is_kept = field not in DROPPED
        self._missing.pop(field, None)
        return self._is_kept

    def _end(self) -> bytes:
        """The fields that the header section lacks."""
        self._is_over = True
        return b"" if self._is_broken else "".join(self._missing.values()).encode()
