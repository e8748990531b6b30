"""BINARY: parts without their transfer encoding (RFC 3516 §4.2, §4.3; RFC 9051 §6.4.5)."""

import base64
import quopri
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imap.mailroom import Mailroom
from mailserver.imap.fetching import decoded

NULS = bytes(range(256)) * 3


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Mailroom]:
    room = Mailroom(tmp_path, threshold=100_000)
    yield room
    room.close()


def multipart(*parts: tuple[str, bytes]) -> bytes:
    """A message with these (encoding, body as it stands) parts."""
    out = b"Subject: parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    for encoding, body in parts:
        out += b"--b\r\nContent-Type: application/x-test\r\n"
        out += b"Content-Transfer-Encoding: %b\r\n\r\n%b\r\n" % (encoding.encode(), body)
    return out + b"--b--\r\n"


def lines(data: bytes) -> bytes:
    """*data* in base64, as mail has it."""
    return base64.encodebytes(data).replace(b"\n", b"\r\n").removesuffix(b"\r\n")


@pytest.mark.rfc(3516, "4.3")
def test_decoded(room: Mailroom) -> None:
    room.put(
        multipart(
            ("base64", lines(b"plain enough")),
            ("Quoted-Printable", b"caf=C3=A9 =\r\nnoir"),
            ("8bit", "café".encode()),
            ("base64", lines(NULS)),
        )
    )
    reader = room.reader()
    said = reader.ask("FETCH 1 (BINARY.PEEK[1] BINARY.PEEK[2] BINARY.PEEK[3] BINARY.PEEK[4])")
    assert said == (
        b"* 1 FETCH (BINARY[1] {12}\r\nplain enough BINARY[2] {10}\r\n%b"
        b" BINARY[3] {5}\r\n%b BINARY[4] ~{768}\r\n%b)\r\na OK FETCH completed.\r\n"
    ) % ("café noir".encode(), "café".encode(), NULS)
    said = reader.ask("FETCH 1 (BINARY.SIZE[1] BINARY.SIZE[2] BINARY.SIZE[3] BINARY.SIZE[4])")
    assert b"(BINARY.SIZE[1] 12 BINARY.SIZE[2] 10 BINARY.SIZE[3] 5 BINARY.SIZE[4] 768)" in said


@pytest.mark.rfc(3516, "4.2")
def test_a_part_of_the_decoded_octets(room: Mailroom) -> None:
    room.put(multipart(("base64", lines(b"0123456789"))))
    reader = room.reader()
    said = reader.ask("FETCH 1 (BINARY.PEEK[1]<2.3> BINARY.PEEK[1]<8.100> BINARY.PEEK[1]<99.1>)")
    assert said.startswith(
        b"* 1 FETCH (BINARY[1]<2> {3}\r\n234 BINARY[1]<8> {2}\r\n89 BINARY[1]<99> {0}\r\n)\r\n"
    )


@pytest.mark.rfc(3516, "4.2")
def test_sets_seen_unless_it_peeks(room: Mailroom) -> None:
    room.put(multipart(("7bit", b"one")))
    reader = room.reader()
    assert b"\\Seen" not in reader.ask("FETCH 1 (BINARY.PEEK[1] BINARY.SIZE[1] FLAGS)")
    assert b"BINARY[1] {3}\r\none FLAGS (\\Seen))" in reader.ask("FETCH 1 BINARY[1]")


@pytest.mark.rfc(3516, "4.3")
def test_an_unknown_encoding(room: Mailroom) -> None:
    """Its message is left out, and the command fails; the others are told."""
    room.put(multipart(("x-rot13", b"uryyb")))
    room.put(multipart(("7bit", b"hello")))
    reader = room.reader()
    for items in ("BINARY.PEEK[1]", "BINARY.SIZE[1]", "BINARY[1]"):
        said = reader.ask(f"FETCH 1:2 {items}")
        assert b"* 1 FETCH" not in said
        assert b"* 2 FETCH (BINARY" in said
        assert b"\r\na NO [UNKNOWN-CTE] " in said


def test_what_has_parts_is_not_encoded_itself(room: Mailroom) -> None:
    """RFC 2045 §6.4 allows no encoding there; a message that has one all the same loses nothing."""
    raw = (
        b"Content-Type: multipart/mixed; boundary=a\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        b"--a\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\naGk=\r\n--a--\r\n"
    )
    room.put(raw)
    reader = room.reader()
    said = reader.ask("FETCH 1 (BINARY.PEEK[] BINARY.SIZE[] BINARY.PEEK[1] BINARY.PEEK[1.1])")
    assert b"BINARY[] {%d}\r\n%b BINARY.SIZE[] %d " % (len(raw), raw, len(raw)) in said
    assert b"BINARY[1] {22}\r\nSubject: inner\r\n\r\naGk=" in said
    assert b"BINARY[1.1] {4}\r\naGk=)" in said


def test_a_part_that_is_not_there(room: Mailroom) -> None:
    room.put(multipart(("7bit", b"one")))
    said = room.reader().ask("FETCH 1 (BINARY.PEEK[7] BINARY.SIZE[7])")
    assert said.startswith(b"* 1 FETCH (BINARY[7] NIL BINARY.SIZE[7] 0)\r\n")


@pytest.mark.parametrize("items", ["BINARY[HEADER]", "BINARY[1.MIME]", "BINARY.SIZE[1]<0.1>"])
def test_grammar(room: Mailroom, items: str) -> None:
    """RFC 3516 §7."""
    room.put(multipart(("7bit", b"one")))
    assert b"a BAD" in room.reader().ask(f"FETCH 1 {items}")


def test_a_large_part_is_counted_once(room: Mailroom, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytes(range(1, 251)) * 2_000
    room.put(multipart(("base64", lines(data)), ("binary", data[:200_000])))
    reader = room.reader()
    assert b"BINARY.SIZE[1] 500000 " in reader.ask("FETCH 1 (BINARY.SIZE[1] BINARY.SIZE[2])")
    counted: list[object] = []
    content = decoded.decode.content
    monkeypatch.setattr(decoded.decode, "content", lambda *a: counted.append(a) or content(*a))
    said = reader.ask("FETCH 1 BINARY.PEEK[1]")
    assert said.startswith(b"* 1 FETCH (BINARY[1] {500000}\r\n" + data + b")\r\n")
    assert len(counted) == 1  # to be sent
    said = reader.ask("FETCH 1 BINARY.PEEK[1]<300000.100000>")
    assert said.startswith(
        b"* 1 FETCH (BINARY[1]<300000> {100000}\r\n" + data[300_000:400_000] + b")\r\n"
    )
    said = reader.ask("FETCH 1 BINARY.PEEK[2]")
    assert said.startswith(b"* 1 FETCH (BINARY[2] {200000}\r\n" + data[:200_000] + b")\r\n")


def test_a_large_part_with_nul(room: Mailroom) -> None:
    data = NULS * 200
    room.put(multipart(("base64", lines(data))))
    said = room.reader().ask("FETCH 1 BINARY.PEEK[1]")
    assert said.startswith(b"* 1 FETCH (BINARY[1] ~{%d}\r\n%b)\r\n" % (len(data), data))


@given(st.binary(max_size=2_000), st.integers(0, 2_100), st.integers(0, 2_100), st.integers(1, 99))
def test_any_part_of_any_octets(data: bytes, skip: int, length: int, piece: int) -> None:
    """What is sent in pieces is what `octets` gives at once."""
    for encoding, body in (
        ("base64", lines(data)),
        ("quoted-printable", quopri.encodestring(data)),
    ):
        part = decoded.decode.Part("text", "plain", 0, 0, len(body), encoding=encoding)

        def read(offset: int, size: int | None, body: bytes = body) -> bytes:
            return body[offset : offset + (size or 0)]

        whole = decoded.octets(part, read)
        if encoding == "base64":
            assert whole == data
        wanted = whole[skip : skip + length]
        decoding = decoded.Decoding(part, skip, len(wanted))
        out = b""
        while decoding.left:
            out += decoding.next(read)
        assert out == wanted
