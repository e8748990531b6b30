"""Reports out of their wrapping: gzip, zip, or nothing; never more octets than allowed.

Spec: RFC 1952 §2.2; RFC 9990 §3.5.2, §8.1; RFC 8460 §5.2.  Status: complete.

What a file is, its first octets tell; names and media types are wrong too often.  A zip file is read from its front,
so its directory, which may lie, is never looked at.
"""

import struct
import zlib

from mailserver.base.errors import PeerError

MEMBERS = 20  #: of a zip file, or of a gzip file
_LOCAL = struct.Struct("<4sHHHHHIIIHH")  # a zip member's header, without its name
_ENCRYPTED = 1
_SIZES_FOLLOW = 8
_STORED, _DEFLATED = 0, 8
_GZIP, _RAW = 31, -15  # wbits of zlib


def unpack(data: bytes, most: int) -> bytes:
    """What is in *data*.  Raises PeerError where that is more than *most* octets, or nothing that can be read."""
    if data.startswith(b"\x1f\x8b"):
        return _gzip(data, most)
    if data.startswith(b"PK\x03\x04"):
        return _zip(data, most)
    if len(data) > most:
        raise PeerError("the report is too large")
    return data


def _gzip(data: bytes, most: int) -> bytes:
    out = b""
    for _ in range(MEMBERS):
        piece, data = _inflate(data, most - len(out), _GZIP)
        out += piece
        data = data.lstrip(b"\0")
        if not data.startswith(b"\x1f\x8b"):
            return out  # what follows is no member, and is ignored as gzip does
    raise PeerError("a gzip file of too many members")


def _zip(data: bytes, most: int) -> bytes:
    """The first member that is neither a folder nor made for another system's use."""
    at = 0
    for _ in range(MEMBERS):
        if data[at : at + 4] != b"PK\x03\x04" or at + _LOCAL.size > len(data):
            break
        head = _LOCAL.unpack_from(data, at)
        flags, method, packed, name_size, extra_size = head[2], head[3], head[7], head[9], head[10]
        name = data[at + _LOCAL.size : at + _LOCAL.size + name_size]
        start = at + _LOCAL.size + name_size + extra_size
        if flags & _ENCRYPTED:
            raise PeerError("an encrypted zip file")
        is_wanted = not name.endswith(b"/") and not name.startswith(b"__MACOSX/")
        if method == _STORED and not flags & _SIZES_FOLLOW:
            content, end = data[start : start + packed], start + packed
            if is_wanted and len(content) > most:
                raise PeerError("the report is too large")
        elif method == _DEFLATED:
            content, rest = _inflate(data[start:], most, _RAW)
            end = len(data) - len(rest)
            if flags & _SIZES_FOLLOW:
                end += 16 if data[end : end + 4] == b"PK\x07\x08" else 12
        else:
            raise PeerError(f"a zip file packed by method {method}")
        if is_wanted:
            return content
        at = end
    raise PeerError("a zip file without a report")


def _inflate(data: bytes, most: int, wbits: int) -> tuple[bytes, bytes]:
    """(The content, what comes after it in *data*)."""
    unpacker = zlib.decompressobj(wbits)
    try:
        out = unpacker.decompress(data, most + 1)
    except zlib.error as error:
        raise PeerError(f"it cannot be unpacked: {error}") from error
    if len(out) > most:
        raise PeerError("the report is too large once it is unpacked")
    if not unpacker.eof:
        raise PeerError("its packed content ends too early")
    return out, unpacker.unused_data
