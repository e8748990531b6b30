r"""Plays wire transcripts written the way RFCs print them: `C:` the client sends, `S:` the server answers.

    # COPYUID comes before the EXPUNGEs (here stands the citation of the clause).
    C: a1 MOVE 1,3 Trash
    S: * OK [COPYUID {validity} 11,13 1:2] Moved.
    S: * 3 EXPUNGE
    S: a1 OK ...

Client lines that follow each other leave in one piece, each ended with CRLF; then the server's answer must be exactly
the `S:` lines that follow, in order, up to the next client line.  An `S:` line without anything sent before it is a
greeting or unsolicited data.  Empty lines and lines that start with `#` are comments.  What else a line may hold:

    C1: S1:      more than one client: a label of lower-case letters and digits
    {name}       one token, any the first time (no space, quote or bracket in it); the same one afterwards, also in C:
    \x00         one octet; nothing else is escaped, so \Seen stands for itself
    {3000*ab}    "ab" 3,000 times
    \            at the end of a line: no CRLF here
    S: a1 OK ... any rest; `S: ...` alone stands for any number of lines
    S: [closed]  the server has ended the connection        C: [close]  the client ends it
    C: [tls]     the handshake after STARTTLS

A client is `feed: bytes -> bytes`: what goes in, and what the server said since the last call; `feed(b"")` asks for
more.  So one transcript drives an engine in the process or a socket (`SocketFeed`).  A feed may also have
`closed: bool`, `close()` and `start_tls()`, for the three lines in brackets.
"""

import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

Feed = Callable[[bytes], bytes]
FOLDER = Path(__file__).parent / "transcripts"

LINE = re.compile(r"([CS])([a-z0-9]*):(?: (.*))?")
NAME = re.compile(r"\{([a-z][a-z0-9_]*)\}")
PIECE = re.compile(r"\\x[0-9a-fA-F]{2}|\{\d+\*[^}]*\}|\{[a-z][a-z0-9_]*\}|\.\.\.")
TOKEN = rb'[^\s()\[\]"]+'
DIRECTIVES = {"C": {"[tls]", "[close]"}, "S": {"[closed]"}}


class Mismatch(AssertionError):
    """What the server said is not what the transcript says; the text names file and line."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a transcript: its number, who speaks (C or S), the client's label, the text behind the colon."""

    number: int
    speaker: str
    label: str
    text: str

    @property
    def is_directive(self) -> bool:
        return self.text in DIRECTIVES[self.speaker]


def transcripts(folder: str) -> list[Path]:
    """The transcripts in tests/transcripts/*folder*, for `pytest.mark.parametrize(..., ids=lambda p: p.stem)`."""
    return sorted((FOLDER / folder).glob("*.txt"))


def play(
    script: Path | str,
    feed: Feed | Mapping[str, Feed],
    *,
    chop: int = 0,
    known: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Plays *script* (a file, or the text itself); returns the tokens it captured.  Raises Mismatch.

    feed: one client, or a client for each label.
    chop: feed at most that many octets at a time; an engine must say the same however its input arrives.
    known: tokens that have a value from the start, e.g. `{"port": "2525"}`.
    """
    name = script.name if isinstance(script, Path) else "transcript"
    text = script.read_text(encoding="utf-8") if isinstance(script, Path) else script
    lines = list(read(text, name))
    feeds = feed if isinstance(feed, Mapping) else {"": feed}
    player = _Player(name, feeds, chop, {k: v.encode() for k, v in (known or {}).items()})
    for i, line in enumerate(lines):
        after = lines[i + 1] if i + 1 < len(lines) else None
        if line.speaker == "S":
            player.hear(line)
        else:
            goes_on = (
                after is not None
                and (after.speaker, after.label) == ("C", line.label)
                and not after.is_directive
            )
            player.say(line, is_last=not goes_on)
    player.end()
    return {k: v.decode(errors="backslashreplace") for k, v in player.known.items()}


def read(text: str, name: str = "transcript") -> Iterator[Line]:
    """The lines of a transcript that somebody speaks.  Raises ValueError, naming the line, on anything unknown."""
    for number, raw in enumerate(text.split("\n"), 1):
        if not raw.strip() or raw.startswith("#"):
            continue
        m = LINE.fullmatch(raw)
        if not m:
            raise ValueError(
                f"{name}:{number}: neither a comment nor a line of C: or S:\n    {raw}"
            )
        yield Line(number, m[1], m[2], m[3] or "")


class _Player:
    """The state of one run: what each client has still to read, and the tokens captured so far."""

    def __init__(
        self, name: str, feeds: Mapping[str, Feed], chop: int, known: dict[str, bytes]
    ) -> None:
        self.name = name
        self.feeds = feeds
        self.chop = chop
        self.known = known
        self.unread: dict[str, bytes] = {}
        self.unsent: dict[str, bytes] = {}
        self.skipping: set[str] = set()  # labels whose last line was a lone "..."

    def say(self, line: Line, *, is_last: bool) -> None:
        """Sends a client line, or keeps it until the last one of its block."""
        self._silent(line.label, line)
        feed = self._feed(line)
        if line.is_directive:
            self._method(line, feed, {"[tls]": "start_tls", "[close]": "close"}[line.text])()
            return
        self.unsent[line.label] = self.unsent.get(line.label, b"") + self._bytes(line)
        if is_last:
            data = self.unsent.pop(line.label)
            step = self.chop or len(data) or 1
            for start in range(0, max(len(data), 1), step):
                heard = feed(data[start : start + step]) if data else b""
                self.unread[line.label] = self.unread.get(line.label, b"") + heard

    def hear(self, line: Line) -> None:
        """Compares a server line with what comes next."""
        if line.text == "[closed]":
            self._closed(line)
            return
        if line.text == "...":
            self.skipping.add(line.label)
            return
        skipping = line.label in self.skipping
        self.skipping.discard(line.label)
        passed: list[bytes] = []
        while True:
            said = self._next(line)
            if said is None:
                raise self._mismatch(line, b"".join(passed))
            m = self._pattern(line).fullmatch(said)
            if m:
                self.known |= m.groupdict()
                return
            if not skipping:
                raise self._mismatch(line, said + self.unread[line.label])
            passed.append(said)

    def end(self) -> None:
        """Nobody may have anything left to say."""
        for label, feed in self.feeds.items():
            if label not in self.skipping:
                self.unread[label] = self.unread.get(label, b"") + _peek(feed)
                self._silent(label, None)

    def _next(self, line: Line) -> bytes | None:
        """The next line of the server with its CRLF, or its last octets without; None when it says nothing."""
        feed = self._feed(line)
        unread = self.unread.get(line.label, b"")
        pattern = self._pattern(line)
        is_part = line.text.endswith("\\")
        while not pattern.match(unread) if is_part else b"\r\n" not in unread:
            more = feed(b"")
            if not more:
                break
            unread += more
        if is_part:
            m = pattern.match(unread)
            size = m.end() if m else len(unread)
        else:
            size = unread.find(b"\r\n") + 2 if b"\r\n" in unread else len(unread)
        self.unread[line.label] = unread[size:]
        return unread[:size] or None

    def _closed(self, line: Line) -> None:
        self._silent(line.label, line)
        feed = self._feed(line)
        if not hasattr(feed, "closed"):
            raise ValueError(f"{self._at(line)}: this client cannot tell whether it was closed")
        rest = b"" if feed.closed else feed(b"")
        if rest or not feed.closed:
            raise self._mismatch(line, rest)

    def _silent(self, label: str, line: Line | None) -> None:
        rest = self.unread.get(label, b"")
        if rest and label not in self.skipping:
            where = f"before line {line.number}" if line else "at the end"
            raise Mismatch(
                f"{self.name}: {where} the server said more than the transcript:\n{_show(rest)}"
            )
        self.unread[label] = b""
        self.skipping.discard(label)

    def _feed(self, line: Line) -> Feed:
        try:
            return self.feeds[line.label]
        except KeyError:
            raise ValueError(f"{self._at(line)}: no client {line.label!r}") from None

    def _method(self, line: Line, feed: Feed, name: str) -> Callable[[], object]:
        method: Callable[[], object] | None = getattr(feed, name, None)
        if method is None:
            raise ValueError(f"{self._at(line)}: this client has no {name}()")
        return method

    def _bytes(self, line: Line) -> bytes:
        """What a client line sends."""
        text, end = (line.text[:-1], b"") if line.text.endswith("\\") else (line.text, b"\r\n")
        out = b""
        for piece, is_special in _pieces(text):
            if is_special and (m := NAME.fullmatch(piece)):
                if m[1] not in self.known:
                    raise ValueError(f"{self._at(line)}: {piece} has no value yet")
                out += self.known[m[1]]
            else:
                out += _literal(piece)
        return out + end

    def _pattern(self, line: Line) -> re.Pattern[bytes]:
        """The regular expression of a server line."""
        text, end = (line.text[:-1], b"") if line.text.endswith("\\") else (line.text, b"\r\n")
        out = b""
        fresh: set[str] = set()
        for piece, is_special in _pieces(text):
            if is_special and piece == "...":
                out += rb"[^\r\n]*"
            elif is_special and (m := NAME.fullmatch(piece)):
                name = m[1]
                if name in self.known:
                    out += re.escape(self.known[name])
                elif name in fresh:
                    out += b"(?P=%s)" % name.encode()
                else:
                    fresh.add(name)
                    out += b"(?P<%s>%s)" % (name.encode(), TOKEN)
            else:
                out += re.escape(_literal(piece))
        return re.compile(out + end, re.DOTALL)

    def _at(self, line: Line) -> str:
        return f"{self.name}:{line.number}"

    def _mismatch(self, line: Line, said: bytes) -> Mismatch:
        known = ", ".join(
            f"{{{name}}} = {self.known[name].decode(errors='backslashreplace')}"
            for name in dict.fromkeys(NAME.findall(line.text))
            if name in self.known
        )
        wanted = f"    {line.text}" + (f"      where {known}" if known else "")
        return Mismatch(
            f"{self._at(line)}: expected\n{wanted}\n"
            + (f"but the server said\n{_show(said)}" if said else "but the server said nothing")
        )


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """The text cut into plain pieces and special ones (True)."""
    at = 0
    for m in PIECE.finditer(text):
        if m.start() > at:
            yield text[at : m.start()], False
        yield m[0], True
        at = m.end()
    if at < len(text):
        yield text[at:], False


def _literal(piece: str) -> bytes:
    """The octets of a piece that is no name: an escape, a repetition, or plain text in UTF-8."""
    if re.fullmatch(r"\\x[0-9a-fA-F]{2}", piece):
        return bytes([int(piece[2:], 16)])
    if m := re.fullmatch(r"\{(\d+)\*([^}]*)\}", piece):
        return m[2].encode() * int(m[1])
    return piece.encode()


def _show(said: bytes, limit: int = 20) -> str:
    """What a server said, a line each, at most *limit* lines."""
    lines = [repr(x.removesuffix(b"\r\n"))[2:-1] for x in said.splitlines(keepends=True)]
    shown = [f"    {x[:500]}" for x in lines[:limit]]
    if not said.endswith(b"\r\n"):
        shown[-1] += "      (no CRLF here)"
    return "\n".join(
        shown + ([f"    ... and {len(lines) - limit} more lines"] if lines[limit:] else [])
    )


def _peek(feed: Feed) -> bytes:
    """What a client has to say without being asked; a SocketFeed does not wait long for it."""
    return feed.peek() if isinstance(feed, SocketFeed) else feed(b"")


class SocketFeed:
    """A connected socket as a client for `play`.

    Sending returns at once with what has already come; asking for more waits up to *timeout_s*.
    """

    def __init__(self, sock: socket.socket, timeout_s: float = 10.0) -> None:
        self.sock = sock
        self.timeout_s = timeout_s
        self.closed = False

    def __call__(self, data: bytes) -> bytes:
        if data:
            try:
                self.sock.settimeout(self.timeout_s)
                self.sock.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                self.closed = True
            return b""
        return self._receive(self.timeout_s)

    def peek(self) -> bytes:
        """What comes within 20 ms."""
        return self._receive(0.02)

    def close(self) -> None:
        """Ends the connection from the client's side."""
        self.sock.close()
        self.closed = True

    def start_tls(self) -> None:
        """The client's half of the handshake; any certificate will do."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.sock.settimeout(self.timeout_s)
        self.sock = context.wrap_socket(self.sock)

    def _receive(self, timeout_s: float) -> bytes:
        if self.closed:
            return b""
        until = time.monotonic() + timeout_s
        while (left := until - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                data = self.sock.recv(65536)
            except (TimeoutError, ssl.SSLWantReadError):
                return b""
            except (ConnectionResetError, ssl.SSLError):
                data = b""
            self.closed = not data
            return data
        return b""
