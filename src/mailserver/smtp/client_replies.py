r"""A server's replies, read from its octets: bounded, in any pieces, cleaned for people.

Spec: RFC 5321 §4.2; RFC 2034 §3, §4; RFC 3463 §2.  Status: complete.
Client: servers that end lines with a bare LF, or leave out the blank after the code (RFC 5321 §4.2), are understood.
"""

import re
from typing import NamedTuple

from mailserver.base.errors import PeerError
from mailserver.smtp.reply import Reply

TEXT_SIZE = 1_000  #: characters of a reply that are kept for people

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
_STATUS = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$)")


class Heard(NamedTuple):
    """One reply as it came: the code of its last line, and the text of each line without code and line end."""

    code: int
    lines: tuple[bytes, ...]

    @property
    def is_positive(self) -> bool:
        """2xx: the command is done."""
        return 200 <= self.code < 300

    @property
    def reply(self) -> Reply:
        """The same for people and for decisions."""
        return reply(self)


class ReplyReader:
    """What the server has sent and nobody has taken yet."""

    __slots__ = ("_input", "_limit")

    def __init__(self, limit: int) -> None:
        """limit: octets of one reply with all its lines."""
        self._input = b""
        self._limit = limit

    def __len__(self) -> int:
        return len(self._input)

    def receive(self, data: bytes) -> None:
        """Keep what came from the server."""
        self._input = self._input + data if self._input else data

    def next(self) -> Heard | None:
        """The next complete reply, None if it has not come yet.  Raises PeerError."""
        data = self._input
        end = data.find(b"\n")
        if data[3:4] == b" " and 0 < end < self._limit:  # one line: nearly all of them
            match = _LINE.fullmatch(data, 0, _text_end(data, end))
            if match:
                self._input = data[end + 1 :]
                return Heard(int(match[1]), (match[3],))
        return self._read(data)

    def _read(self, data: bytes) -> Heard | None:
        lines: list[bytes] = []
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            if end >= self._limit:
                break
            match = _LINE.fullmatch(data, start, _text_end(data, end))
            if match is None:
                line = data[start : _text_end(data, end)]
                raise PeerError(f"no SMTP reply: {readable(line)[:200]}")
            lines.append(match[3] or b"")
            start = end + 1
            if match[2] != b"-":
                self._input = data[start:]
                return Heard(int(match[1]), tuple(lines))
        if len(data) >= self._limit:
            raise PeerError(f"a reply of more than {self._limit} octets")
        return None


def _text_end(data: bytes, feed: int) -> int:
    """Where the line that ends with the LF at *feed* ends without it and its CR."""
    return feed - 1 if data[feed - 1 : feed] == b"\r" else feed


def reply(heard: Heard) -> Reply:
    """The reply with the status it states, or the one that its code implies (RFC 3463 §2); the text is printable."""
    status = ""
    texts: list[str] = []
    room = TEXT_SIZE
    for line in heard.lines:
        text = readable(line)
        match = _STATUS.match(text)
        if match and match[1][0] == str(heard.code)[0]:
            status = match[1]
            text = text[match.end() :]
        if room > 0:
            texts.append(text[:room])
        room -= len(text) + 1
    return Reply(heard.code, status or f"{heard.code // 100}.0.0", "\n".join(texts))


def readable(octets: bytes) -> str:
    """The octets as printable text; what is no UTF-8, or would not show or steer a terminal, becomes U+FFFD."""
    text = octets.decode("utf-8", "replace")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
