"""What the server says: OK, NO, BYE with codes and texts, and strings.

Spec: RFC 5804 §1.2, §1.3, §4.  Status: complete.
"""

QUOTED = 1_024  #: octets that a quoted string may have (RFC 5804 §4)


def string(value: bytes | str) -> bytes:
    """*value* quoted, or as a literal where it must be."""
    data = value.encode() if isinstance(value, str) else value
    if len(data) > QUOTED or any(octet in data for octet in (b"\r", b"\n", b"\0")):
        return b"{%d}\r\n%b" % (len(data), data)
    return b'"%b"' % data.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def ok(text: str = "", code: bytes = b"") -> bytes:
    """The command succeeded."""
    return _line(b"OK", code, text)


def no(text: str, code: bytes = b"") -> bytes:
    """The command failed."""
    return _line(b"NO", code, text)


def bye(text: str, code: bytes = b"") -> bytes:
    """The connection ends."""
    return _line(b"BYE", code, text)


def _line(word: bytes, code: bytes, text: str) -> bytes:
    parts = [word]
    if code:
        parts.append(b"(%b)" % code)
    if text:
        parts.append(string(text))
    return b" ".join(parts) + b"\r\n"
