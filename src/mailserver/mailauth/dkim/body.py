"""Hashes of a body, as many as somebody wants, in one reading of it.

Spec: RFC 6376 §3.4.3, §3.4.4, §3.7, §5.3.1.  Status: complete.

Each form of the body is made once, whatever number of signatures asks for it.  A small one that comes in one piece is
made at once; of others, what is held back is a few octets and the number of empty lines that may be the last ones.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from mailserver.mailauth.dkim.header import Form, squeeze

WHOLE = 65_536  #: octets of a body that waits for its end
_LINES = b"\r\n" * 4_096  #: that many empty lines at once


class Wanted(NamedTuple):
    """One hash: over the body in *form*, up to *length* octets of that (l=) or all."""

    form: Form
    length: int | None = None


class Found(NamedTuple):
    """The SHA-256 of what was wanted; *size*: octets that the whole body has in this form."""

    digest: bytes
    size: int


class Bodies:
    """The hashes of one body: `want` each, `feed` the body, then `digest`."""

    __slots__ = ("_first", "_has_begun", "_has_ended", "_made", "_streams", "_wanted")

    def __init__(self) -> None:
        self._wanted: dict[Wanted, Found | None] = {}
        self._streams: dict[Form, _Stream] = {}
        self._made: dict[Form, bytes] = {}
        self._first: bytes | None = None  # all of the body so far, while that is one small piece
        self._has_begun = False
        self._has_ended = False

    def want(self, wanted: Wanted) -> None:
        """Asks for a hash, before the body comes."""
        if self._has_begun:
            raise AssertionError("what is wanted of a body is said before it is read")
        self._wanted[wanted] = None

    def feed(self, piece: bytes) -> None:
        """Reads on."""
        if not self._has_begun and len(piece) <= WHOLE:
            self._has_begun, self._first = True, piece
            return
        if not self._streams:
            self._begin()
        for stream in self._streams.values():
            stream.feed(piece)

    def digest(self, wanted: Wanted) -> Found:
        """What was wanted, once all of the body is there."""
        found = self._wanted[wanted]
        if found is None:
            found = self._wanted[wanted] = self._found(wanted)
        return found

    def _begin(self) -> None:
        """There is more than one piece, or it is large."""
        self._has_begun = True
        for form, length in self._wanted:
            if form not in self._streams:
                self._streams[form] = _Stream(form)
            self._streams[form].hash_up_to(length)
        first, self._first = self._first, None
        if first is not None:
            for stream in self._streams.values():
                stream.feed(first)

    def _found(self, wanted: Wanted) -> Found:
        if self._has_begun and not self._streams:
            if wanted.form not in self._made:
                self._made[wanted.form] = canonical(self._first or b"", wanted.form)
            text = self._made[wanted.form]
            signed = text if wanted.length is None else text[: wanted.length]
            return Found(hashlib.sha256(signed).digest(), len(text))
        if not self._has_ended:
            self._has_ended = True
            if not self._streams:
                self._begin()
            for stream in self._streams.values():
                stream.finish()
        return self._streams[wanted.form].found(wanted.length)


def canonical(body: bytes, form: Form) -> bytes:
    """All of *body* in *form*."""
    if form == "relaxed":
        body = squeeze(body).replace(b" \r\n", b"\r\n").removesuffix(b" ")
    text = body[: _without_line_ends(body)]
    return text + b"\r\n" if text or form == "simple" else text


class _Stream:
    """One form of the body on its way into its hashes."""

    __slots__ = ("_empty_lines", "_form", "_hashes", "_rest", "_size")

    def __init__(self, form: Form) -> None:
        self._form = form
        self._rest = b""  # a blank or CR at the end of a piece, which the next piece decides about
        self._empty_lines = 0  # line ends that are left out if nothing follows
        self._size = 0
        self._hashes: dict[int | None, hashlib._Hash] = {}

    def hash_up_to(self, length: int | None) -> None:
        self._hashes.setdefault(length, hashlib.sha256())

    def found(self, length: int | None) -> Found:
        return Found(self._hashes[length].digest(), self._size)

    def feed(self, piece: bytes) -> None:
        data = self._rest + piece if self._rest else piece
        if self._form == "relaxed":
            data = squeeze(data)
            cut = len(data)
            if data.endswith(b"\r"):
                cut -= 1
            if data.endswith(b" ", 0, cut):
                cut -= 1
            self._rest = data[cut:]
            data = data[:cut].replace(b" \r\n", b"\r\n")
        elif data.endswith(b"\r"):
            self._rest, data = b"\r", data[:-1]
        else:
            self._rest = b""
        self._take(data)

    def _take(self, data: bytes) -> None:
        """Gives *data* to the hashes, without the line ends at its end."""
        end = _without_line_ends(data)
        if end:
            self._write_lines()
            self._write(data[:end])
        self._empty_lines += (len(data) - end) // 2

    def _write_lines(self) -> None:
        while self._empty_lines:
            lines = min(self._empty_lines, len(_LINES) // 2)
            self._empty_lines -= lines
            self._write(_LINES[: 2 * lines])

    def _write(self, data: bytes) -> None:
        for length, digest in self._hashes.items():
            if length is None:
                digest.update(data)
            elif self._size < length:
                digest.update(data[: length - self._size])
        self._size += len(data)

    def finish(self) -> None:
        """The end: blanks before it go, and so do empty lines; what is not empty ends in one CRLF."""
        rest = self._rest
        if self._form == "relaxed" and rest == b" ":
            rest = b""
        self._rest = b""
        if rest:
            self._write_lines()
            self._write(rest)
        self._empty_lines = 0
        if self._size or self._form == "simple":
            self._write(b"\r\n")


def _without_line_ends(data: bytes) -> int:
    """The size of *data* without the CRLFs at its end; a CR or LF that stands alone is text."""
    if not data.endswith(b"\r\n"):
        return len(data)
    text = len(data.rstrip(b"\r\n"))
    broken = max(data.rfind(b"\n\n", text), data.rfind(b"\r\r", text))
    if broken >= 0:  # CR and LF take turns behind that
        text = broken + 1
    return text + 1 if data[text] == 0x0A else text
