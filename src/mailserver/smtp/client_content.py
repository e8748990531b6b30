"""The content as the client sends it: dots doubled for DATA.

Spec: RFC 5321 §4.5.2, §4.1.1.4.  Status: complete.
"""

from mailserver.smtp.line_ends import first_odd


class Stuffer:
    """Doubles the dots at the start of lines, whatever the pieces, at the speed of memory.

    The content's lines end with CRLF: a CR or LF that stands alone is refused when mail is taken, not looked for here.
    """

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b"\r\n"  # the last two octets; the first line begins at once

    def feed(self, piece: bytes) -> bytes:
        """*piece* as it goes over the wire."""
        if not piece:
            return b""
        tail, self._tail = self._tail, (self._tail + piece[-2:])[-2:]
        if piece.startswith(b".") and tail == b"\r\n":
            piece = b"." + piece
        elif piece.startswith(b"\n.") and tail.endswith(b"\r"):
            piece = b"\n." + piece[1:]
        return piece.replace(b"\r\n.", b"\r\n..") if first_odd(piece) >= 0 else piece

    def end(self) -> bytes:
        """What ends the content; a last line without its CRLF gets one."""
        return b".\r\n" if self._tail == b"\r\n" else b"\r\n.\r\n"
