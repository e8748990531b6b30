"""Plain blocking wire clients: what goes out and comes in is bytes, nothing is repaired on the way.

`Imap` is for tests that must see every octet; `Smtp` sends lines and reads replies.  A refusal raises `Refused`.
"""

from __future__ import annotations

import base64
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field

from outside.server import Account, Server

Value = "bytes | Atom | list[Value] | None"


class Refused(Exception):
    """The server answered NO, BAD, 4xx or 5xx; args[0] is its line."""


class Gone(Exception):
    """The server closed the connection."""


class Atom(bytes):
    """A word that was neither quoted nor a literal."""

    __slots__ = ()


def trusting() -> ssl.SSLContext:
    """TLS that accepts the test server's self-signed certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Wire:
    """A socket and the octets not yet looked at."""

    def __init__(self, host: str, port: int, tls: bool = False, timeout_s: float = 30) -> None:
        self.socket: socket.socket = socket.create_connection((host, port), timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = bytearray()
        if tls:
            self.start_tls()

    def start_tls(self) -> None:
        self.socket = trusting().wrap_socket(self.socket, server_hostname="localhost")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def line(self) -> bytes:
        """The next line without its CRLF.  Raises Gone."""
        looked = 0
        while (at := self._rest.find(b"\n", looked)) < 0:
            looked = len(self._rest)
            self._more()
        line = bytes(self._rest[:at])
        del self._rest[: at + 1]
        return line.removesuffix(b"\r")

    def exactly(self, size: int) -> bytes:
        while len(self._rest) < size:
            self._more()
        data = bytes(self._rest[:size])
        del self._rest[:size]
        return data

    def is_closed(self, timeout_s: float = 10) -> bool:
        """The server hangs up within the time, whatever it says before."""
        self.socket.settimeout(timeout_s)
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True

    def close(self) -> None:
        self.socket.close()

    def _more(self) -> None:
        try:
            data = self.socket.recv(1 << 18)
        except (ConnectionError, ssl.SSLError) as error:
            raise Gone(str(error)) from None
        if not data:
            raise Gone("closed by the server")
        self._rest += data


@dataclass(frozen=True, slots=True)
class Reply:
    """What one command brought: untagged responses without "* ", literals in place, and the tagged line's rest."""

    untagged: list[bytes]
    status: bytes
    text: bytes

    def code(self, name: str) -> bytes | None:
        """The argument of [NAME ...] in the tagged or an untagged response, else None."""
        for line in [self.text, *self.untagged]:
            match = re.search(rb"\[" + name.encode() + rb"(?: ([^\]]*))?\]", line)
            if match:
                return match.group(1) or b""
        return None

    def number(self, word: str) -> int | None:
        """n of the last "* n WORD"."""
        found = None
        for line in self.untagged:
            match = re.fullmatch(rb"(\d+) " + word.encode(), line)
            found = int(match.group(1)) if match else found
        return found


@dataclass
class Imap:
    """One IMAP session. account: logged in at once when given."""

    server: Server
    account: Account | None = None
    tls: bool = False
    timeout_s: float = 30
    count: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        port = self.server.ports["imaps" if self.tls else "imap"]
        self.wire = Wire(self.server.host, port, self.tls, self.timeout_s)
        self.greeting = self.wire.line()
        if self.account is not None:
            self.ok(f'LOGIN "{self.account.address}" "{self.account.password}"')

    def __enter__(self) -> Imap:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.wire.close()

    def response(self) -> bytes:
        """The next response, its literals in place, without the last CRLF."""
        parts = []
        while True:
            line = self.wire.line()
            parts.append(line)
            literal = re.search(rb"\{(\d+)\}$", line)
            if literal is None:
                return b"".join(parts)
            parts.append(b"\r\n" + self.wire.exactly(int(literal.group(1))))

    def start(self, *parts: str | bytes) -> bytes:
        """Send a command and return its tag.  Parts after the first are literals; each waits for its "+"."""
        self.count += 1
        tag = b"t%d" % self.count
        out = tag + b" "
        for n, part in enumerate(parts):
            data = part.encode() if isinstance(part, str) else part
            if n % 2:
                self.wire.send(out + b"{%d}\r\n" % len(data))
                self._await_continuation(tag)
                out = data
            else:
                out += data
        self.wire.send(out + b"\r\n")
        return tag

    def finish(self, tag: bytes) -> Reply:
        untagged = []
        while True:
            line = self.response()
            if line.startswith(tag + b" "):
                status, _, text = line[len(tag) + 1 :].partition(b" ")
                return Reply(untagged, status, text)
            untagged.append(line.removeprefix(b"* "))

    def do(self, *parts: str | bytes) -> Reply:
        """Run a command, whatever the answer. `do("LOGIN ", user, " ", password)`: every second part is a literal."""
        return self.finish(self.start(*parts))

    def ok(self, *parts: str | bytes) -> Reply:
        """Run a command that must succeed.  Raises Refused."""
        reply = self.do(*parts)
        if reply.status != b"OK":
            what = parts[0] if isinstance(parts[0], bytes) else parts[0].encode()
            raise Refused((reply.status + b" " + reply.text).decode("latin1"), what[:200])
        return reply

    def append(
        self, mailbox: str, raw: bytes, flags: str = "", date: str = ""
    ) -> tuple[int, int] | None:
        """APPEND; (uidvalidity, uid) where the server says it (RFC 4315 §3)."""
        words = (
            f"APPEND {mailbox} " + (f"({flags}) " if flags else "") + (f'"{date}" ' if date else "")
        )
        reply = self.ok(words, raw, "")
        said = reply.code("APPENDUID")
        if said is None:
            return None
        validity, uid = said.split()
        return int(validity), int(uid)

    def fetch(self, numbers: str, items: str, uid: bool = True) -> dict[int, dict[bytes, object]]:
        """(UID) FETCH; what was said of each message, by UID or else by sequence number."""
        reply = self.ok(f"{'UID ' if uid else ''}FETCH {numbers} {items}")
        found: dict[int, dict[bytes, object]] = {}
        for line in reply.untagged:
            match = re.match(rb"(\d+) FETCH ", line)
            if match:
                values = dict(pairs(parse(line[match.end() :])[0]))
                number = int(values[b"UID"]) if uid else int(match.group(1))  # type: ignore[call-overload]
                found.setdefault(number, {}).update(values)
        return found

    def search(self, keys: str | bytes, uid: bool = False) -> list[int]:
        words = b"UID SEARCH " if uid else b"SEARCH "
        reply = self.ok(words + (keys.encode() if isinstance(keys, str) else keys))
        return sorted(
            int(n)
            for line in reply.untagged
            if line.startswith(b"SEARCH")
            for n in line.split()[1:]
        )

    def select(self, mailbox: str) -> Reply:
        return self.ok(f"SELECT {mailbox}")

    def _await_continuation(self, tag: bytes) -> None:
        while True:
            line = self.response()
            if line.startswith(b"+"):
                return
            if line.startswith(tag + b" "):
                raise Refused(line.decode("latin1"))


def pairs(values: object) -> Iterator[tuple[bytes, object]]:
    """A FETCH response's list as (item in upper case, value)."""
    assert isinstance(values, list)
    for at in range(0, len(values), 2):
        yield bytes(values[at]).upper(), values[at + 1]


def parse(data: bytes) -> list[object]:
    """Response text as values: list, bytes (quoted or literal), Atom, None for NIL."""
    stack: list[list[object]] = [[]]
    at = 0
    while at < len(data):
        octet = data[at : at + 1]
        if octet == b" ":
            at += 1
        elif octet == b"(":
            stack.append([])
            at += 1
        elif octet == b")":
            done = stack.pop()
            stack[-1].append(done)
            at += 1
        elif octet == b'"':
            end, text = at + 1, bytearray()
            while data[end] != 0x22:
                end += data[end] == 0x5C
                text.append(data[end])
                end += 1
            stack[-1].append(bytes(text))
            at = end + 1
        elif octet == b"{":
            brace = data.index(b"}\r\n", at)
            size = int(data[at + 1 : brace])
            stack[-1].append(data[brace + 3 : brace + 3 + size])
            at = brace + 3 + size
        else:
            match = re.compile(rb"[^ ()\[\]{}\"]*(?:\[[^\]]*\](?:<\d+>)?)?").match(data, at)
            assert match is not None
            if match.end() == at:
                raise ValueError(f"not a response: {data[at : at + 40]!r}")
            word = match.group()
            stack[-1].append(None if word.upper() == b"NIL" else Atom(word))
            at = match.end()
    if len(stack) != 1:
        raise ValueError(f"parentheses do not match: {data[:200]!r}")
    return stack[0]


@dataclass
class Smtp:
    """One SMTP session up to the greeting. which: the listener's name."""

    server: Server
    which: str = "smtp"
    timeout_s: float = 30

    def __post_init__(self) -> None:
        tls = self.which == "submissions"
        self.wire = Wire(self.server.host, self.server.ports[self.which], tls, self.timeout_s)
        self.greeting = self.reply()

    def __enter__(self) -> Smtp:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.wire.close()

    def reply(self) -> tuple[int, str]:
        """(code, text) of the next reply; its lines joined by newlines."""
        lines = []
        while True:
            line = self.wire.line().decode("utf-8", "replace")
            lines.append(line[4:])
            if line[3:4] != "-":
                return int(line[:3]), "\n".join(lines)

    def do(self, line: str | bytes) -> tuple[int, str]:
        self.wire.send((line.encode() if isinstance(line, str) else line) + b"\r\n")
        return self.reply()

    def ok(self, line: str | bytes) -> str:
        code, text = self.do(line)
        if code >= 400:
            raise Refused(f"{code} {text}", line[:200])
        return text

    def hello(self) -> str:
        return self.ok("EHLO client.example.test")

    def login(self, account: Account) -> None:
        secret = base64.b64encode(f"\0{account.address}\0{account.password}".encode()).decode()
        self.ok(f"AUTH PLAIN {secret}")

    def envelope(self, recipients: list[str], sender: str = "sender@example.org") -> None:
        self.ok(f"MAIL FROM:<{sender}>")
        for recipient in recipients:
            self.ok(f"RCPT TO:<{recipient}>")
        self.ok("DATA")

    def send(self, recipients: list[str], raw: bytes, sender: str = "sender@example.org") -> str:
        """One whole transaction; the text of the 250.  Raises Refused."""
        self.envelope(recipients, sender)
        return self.ok(dotted(raw))


def dotted(raw: bytes) -> bytes:
    """A message as DATA carries it, up to and including the dot, without the last CRLF (RFC 5321 §4.5.2)."""
    body = raw if raw.endswith(b"\r\n") or not raw else raw + b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", body) + b"."
