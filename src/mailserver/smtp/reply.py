r"""SMTP replies: a code, an enhanced status code and text.

Spec: RFC 5321 §4.2; RFC 2034 §4; RFC 3463.  Status: complete.
"""

from functools import lru_cache
from typing import NamedTuple


class Reply(NamedTuple):
    r"""One SMTP reply (RFC 5321 §4.2).

    status: "5.1.1", or "" where RFC 2034 §4 forbids one: greeting, EHLO, 3xx.
    text:   for humans, ASCII (RFC 6531 §3.7.4.2); "\n" starts a further line.
    """

    code: int
    status: str
    text: str

    def __bytes__(self) -> bytes:
        """For the wire: a "-" after the code on all lines but the last (RFC 5321 §4.2.1)."""
        status = f"{self.status} " if self.status else ""
        if "\n" not in self.text:  # nearly always
            return f"{self.code} {status}{self.text}\r\n".encode("ascii", "backslashreplace")
        return _in_lines(self.code, status, self.text)

    @property
    def is_positive(self) -> bool:
        """Whether the command succeeded, or may go on (RFC 5321 §4.2.1)."""
        return self.code < 400

    @property
    def is_permanent(self) -> bool:
        """Whether asking again would get the same answer (RFC 5321 §4.2.1)."""
        return self.code >= 500

    def __str__(self) -> str:
        """For logs and traces: one line."""
        return f"{self.code} {self.status} {self.text}".replace("\n", " / ")


@lru_cache(maxsize=64)  # the answer to EHLO is the same for nearly everybody
def _in_lines(code: int, status: str, text: str) -> bytes:
    *lines, last = (f"{status}{line}" for line in text.split("\n"))
    more = "".join(f"{code}-{line}\r\n" for line in lines)
    return f"{more}{code} {last}\r\n".encode("ascii", "backslashreplace")
