"""COMPRESS and UNAUTHENTICATE over real connections (RFC 4978, RFC 8437)."""

import re
import zlib
from collections.abc import Iterator

import pytest

from mailserver.base.limits import ImapLimits, Limits
from servers.imap_bench import PASSWORD, Bench, Wire, running, tls

FAST = Limits(imap=ImapLimits(auth_delay_s=0.01, command_size=100_000))
LOGIN = f"LOGIN alice@example.test {PASSWORD}"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with running(tmp_path_factory.mktemp("imap"), FAST) as bench:
        yield bench


class Squeezed:
    """The client's side of a compressed connection."""

    def __init__(self, wire: Wire) -> None:
        self.sock = wire.sock
        self.out = zlib.compressobj(9, zlib.DEFLATED, -15)
        self.inp = zlib.decompressobj(-15)
        self.plain = b""

    def send(self, data: bytes, flush: int = zlib.Z_SYNC_FLUSH) -> None:
        self.sock.sendall(self.out.compress(data) + self.out.flush(flush))

    def until(self, end: bytes) -> bytes:
        """What the server says up to the line that begins with *end*."""
        pattern = re.compile(rb"(?:\A|\r\n)" + re.escape(end) + rb"[^\r\n]*\r\n")
        while not (m := pattern.search(self.plain)):
            data = self.sock.recv(65_536)
            assert data, "the connection has ended"
            self.plain += self.inp.decompress(data)
        said, self.plain = self.plain[: m.end()], self.plain[m.end() :]
        return said


def squeezed(bench: Bench, *, is_tls: bool = False) -> Squeezed:
    wire = bench.connect()
    wire.line()
    if is_tls:
        wire.command("STARTTLS")
        wire.sock = tls(wire.sock)
    assert b"COMPRESS=DEFLATE" in wire.command(LOGIN)[-1]
    assert wire.command("COMPRESS DEFLATE")[-1] == b"x OK DEFLATE active"
    return Squeezed(wire)


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.rfc(4978, "3")
def test_a_session(bench: Bench, is_tls: bool) -> None:
    client = squeezed(bench, is_tls=is_tls)
    message = b"Subject: squeezed\r\n\r\n" + bytes(range(32, 127)) * 10_000
    client.send(b"a APPEND Sent {%d}\r\n" % len(message))
    assert client.until(b"+ ") == b"+ Ready\r\n"
    client.send(message + b"\r\nb SELECT Sent\r\nc FETCH * BODY.PEEK[]\r\n")
    assert b"a OK [APPENDUID" in client.until(b"a ")
    client.until(b"b ")
    assert message in client.until(b"c ")
    client.send(b"d IDLE\r\n")
    client.until(b"+ ")
    client.send(b"DONE\r\ne LOGOUT\r\n")
    assert b"e OK" in client.until(b"e ")


def test_a_bomb_costs_nobody_else_anything(bench: Bench) -> None:
    """It is one command that is too long, whatever it grows into."""
    client = squeezed(bench)
    client.sock.sendall(
        client.out.compress(b"a NOOP " + bytes(30_000_000) + b"\r\nb NOOP\r\n")
        + client.out.flush(zlib.Z_SYNC_FLUSH)
    )
    other = bench.connect()
    other.line()
    assert other.command(LOGIN)[-1].startswith(b"x OK")
    said = client.until(b"b ")
    assert b"a BAD [TOOBIG] Command too long" in said
    assert b"b OK NOOP" in said


def test_what_is_no_deflate_ends_the_connection(bench: Bench) -> None:
    client = squeezed(bench)
    client.sock.sendall(b"\xff" * 100)
    while client.sock.recv(1_000):
        pass


def test_pipelined_behind_the_command(bench: Bench) -> None:
    """A client may not (RFC 4978 §3); what it sends there counts as compressed all the same."""
    wire = bench.connect()
    wire.line()
    wire.command(LOGIN)
    client = Squeezed(wire)
    wire.send(
        b"y COMPRESS DEFLATE\r\n"
        + client.out.compress(b"a NOOP\r\n")
        + client.out.flush(zlib.Z_SYNC_FLUSH)
    )
    said = b""
    while len(said) < 21:
        said += wire.sock.recv(1_000)
    assert said[:21] == b"y OK DEFLATE active\r\n"
    client.plain = client.inp.decompress(said[21:])
    assert client.until(b"a ") == b"a OK NOOP completed.\r\n"


@pytest.mark.parametrize("flush", [zlib.Z_FINISH, zlib.Z_SYNC_FLUSH], ids=["end", "flush"])
@pytest.mark.rfc(8437, "4.1")
def test_unauthenticate_ends_compression(bench: Bench, flush: int) -> None:
    client = squeezed(bench)
    client.send(b"a SELECT INBOX\r\n")
    client.until(b"a ")
    client.send(b"b UNAUTHENTICATE\r\n", flush)
    assert client.until(b"b ") == b"b OK UNAUTHENTICATE completed.\r\n"
    while not client.inp.eof:
        client.inp.decompress(client.sock.recv(1_000))
    client.sock.sendall(b"c " + LOGIN.encode() + b"\r\n")
    said = client.inp.unused_data
    while not said.endswith(b"\r\n"):
        said += client.sock.recv(1_000)
    assert said.startswith(b"c OK [CAPABILITY")
    client.sock.sendall(b"d COMPRESS DEFLATE\r\n")
    assert client.sock.recv(1_000) == b"d OK DEFLATE active\r\n"


@pytest.mark.rfc(8437, "3")
def test_pipelined_behind_unauthenticate(bench: Bench) -> None:
    client = squeezed(bench)
    wire = client.out.compress(b"b UNAUTHENTICATE\r\n") + client.out.flush(zlib.Z_FINISH)
    client.sock.sendall(wire + b"c " + LOGIN.encode() + b"\r\n")
    client.until(b"b ")
    while not client.inp.eof:
        client.inp.decompress(client.sock.recv(1_000))
    said = client.inp.unused_data
    while b"c OK [CAPABILITY" not in said:
        data = client.sock.recv(1_000)
        assert data
        said += data


def test_strangers_limits_hold_again(bench: Bench) -> None:
    wire = bench.connect()
    wire.line()
    wire.command(LOGIN)
    assert wire.command("UNAUTHENTICATE")[-1].startswith(b"x OK")
    said = wire.command("LOGIN " + "x" * 20_000)
    assert said[-1].startswith(b"x BAD [TOOBIG]")
