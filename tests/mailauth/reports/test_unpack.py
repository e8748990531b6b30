"""gzip and zip from strangers: the report, or a refusal, and never more memory than allowed."""

import gzip
import io
import time
import tracemalloc
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import PeerError
from mailserver.mailauth.reports.unpack import unpack

MOST = 1_000_000


def zipped(
    members: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED, *, streamed: bool = False
) -> bytes:
    class OneWay(io.RawIOBase):
        """A file that nobody can go back in, so sizes follow the content."""

        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, piece: object) -> int:
            octets = bytes(piece)  # type: ignore[call-overload]
            self.data += octets
            return len(octets)

    out = OneWay() if streamed else io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.data if isinstance(out, OneWay) else out.getvalue()


@pytest.mark.parametrize(
    "packed",
    [
        b"<feedback/>",
        gzip.compress(b"<feedback/>"),
        gzip.compress(b"<feed") + gzip.compress(b"back/>"),
        gzip.compress(b"<feedback/>") + b"\0" * 20,
        zipped([("r.xml", b"<feedback/>")]),
        zipped([("r.xml", b"<feedback/>")], zipfile.ZIP_STORED),
        zipped([("r.xml", b"<feedback/>")], streamed=True),
        zipped([("folder/", b""), ("__MACOSX/._r.xml", b"x"), ("folder/r.xml", b"<feedback/>")]),
        zipped([("__MACOSX/._r", b"x" * 50), ("r.xml", b"<feedback/>")], streamed=True),
    ],
    ids=lambda packed: f"{len(packed)} octets",
)
@pytest.mark.rfc(1952, "2.2")
def test_the_content_comes_out(packed: bytes) -> None:
    assert unpack(packed, MOST) == b"<feedback/>"


@pytest.mark.rfc(9990, "8.1")
@pytest.mark.parametrize("kind", ["gzip", "zip"])
def test_a_bomb_is_refused_for_little(kind: str) -> None:
    content = b"\0" * 30_000_000
    bomb = gzip.compress(content) if kind == "gzip" else zipped([("r.xml", content)])
    del content
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(PeerError, match="too large"):
        unpack(bomb, MOST)
    assert time.process_time() - start < 10
    assert tracemalloc.get_traced_memory()[1] < 5 * MOST
    tracemalloc.stop()


@pytest.mark.parametrize(
    "packed",
    [
        b"\x1f\x8b",
        b"\x1f\x8bgarbage",
        gzip.compress(b"<feedback/>")[:-3],
        gzip.compress(b"") * 100,
        b"PK\x03\x04",
        zipped([("r.xml", b"<feedback/>" * 100)])[:45],
        zipped([("r.xml", b"<feedback/>")], zipfile.ZIP_BZIP2),
        zipped([("folder/", b"")]),
        zipped([(f"{n}/", b"") for n in range(100)]),
        zlib.compress(b"x" * 2_000_000, 0),
        b"x" * (MOST + 1),
    ],
    ids=lambda packed: f"{len(packed)} octets",
)
def test_what_cannot_be_unpacked_is_refused(packed: bytes) -> None:
    with pytest.raises(PeerError):
        unpack(packed, MOST)


def test_an_encrypted_member_is_refused() -> None:
    packed = bytearray(zipped([("r.xml", b"<feedback/>")]))
    packed[6] |= 1
    with pytest.raises(PeerError, match="encrypted"):
        unpack(bytes(packed), MOST)


@given(st.binary(max_size=200), st.sampled_from([b"\x1f\x8b\x08\0", b"PK\x03\x04", b""]))
def test_garbage_is_refused_or_passed_on(data: bytes, magic: bytes) -> None:
    try:
        assert len(unpack(magic + data, 100)) <= 100
    except PeerError:
        return


@given(st.data())
def test_damage_to_a_zip_file_is_refused_or_makes_other_content(data: st.DataObject) -> None:
    packed = bytearray(zipped([("a/", b""), ("r.xml", b"<feedback/>" * 20)], streamed=True))
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] = data.draw(st.integers(0, 255))
    try:
        assert len(unpack(bytes(packed), 1_000)) <= 1_000
    except PeerError:
        return
