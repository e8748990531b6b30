"""What the server says: every response and response code, as the octets that go out.

Spec: RFC 3501 §7; RFC 5530 §3; RFC 4315 §3; RFC 5161 §3.2.  Status: complete.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NewType

from mailserver.base.ids import ModSeq, Uid
from mailserver.base.numset import compress
from mailserver.directory import rights
from mailserver.imap import wire

if TYPE_CHECKING:
    from mailserver.store.values import Delta

Response = NewType("Response", bytes)  #: complete lines with their CRLF, literals inside


@dataclass(frozen=True, slots=True)
class Tagged:
    """How a handler wants its tagged OK to read, as the return value of its generator.

    code:    a response code without brackets, or "".     text: for humans; "" for "NAME completed."
    status:  "OK"; "NO" where something was done and yet not all (RFC 2180 §4.1.3).
    known:   flags that the client knows without being told again: UID -> modseq of the row.
    news:    what happened in the selected mailbox since the client was told, where the handler knows it.
    is_told: the client has been told everything since the last transaction.
    enables: what the command has switched on, in upper case (RFC 7162 §3.1).
    then:    carried out once the tagged response is sent.
    """

    code: str = ""
    text: str = ""
    status: str = "OK"
    known: Mapping[Uid, ModSeq] | None = None
    news: "Delta | None" = None
    is_told: bool = False
    enables: str = ""
    then: Literal["", "starttls", "compress", "unauthenticate", "close"] = ""


def tagged(tag: bytes, status: str, code: str, text: str) -> Response:
    """The end of a command (RFC 3501 §7.1)."""
    return Response(b"%b %b\r\n" % (tag, _resp_text(status, code, text)))


def untagged(status: str, code: str, text: str) -> Response:
    """* OK, NO, BAD, BYE, PREAUTH (RFC 3501 §7.1)."""
    return Response(b"* %b\r\n" % _resp_text(status, code, text))


def ok(code: str, text: str) -> Response:
    """Untagged OK (RFC 3501 §7.1.1)."""
    return untagged("OK", code, text)


def bye(text: str, code: str = "") -> Response:
    """The server is about to close the connection (RFC 3501 §7.1.5)."""
    return untagged("BYE", code, text)


def _resp_text(status: str, code: str, text: str) -> bytes:
    if code:
        return b"%b [%b] %b" % (status.encode("ascii"), code.encode("ascii"), wire.text(text))
    return b"%b %b" % (status.encode("ascii"), wire.text(text))


def continuation(text: bytes) -> Response:
    """Go on: with a literal, a SASL response, IDLE (RFC 3501 §7.5)."""
    return Response(b"+ %b\r\n" % text)


def line(data: bytes) -> Response:
    """ "*", a space and *data*: any untagged data response that has no maker here."""
    return Response(b"* %b\r\n" % data)


def capability(names: Iterable[str]) -> Response:
    """RFC 3501 §7.2.1."""
    return line(b"CAPABILITY " + " ".join(names).encode("ascii"))


def enabled(names: Iterable[str]) -> Response:
    """RFC 5161 §3.2."""
    return line(" ".join(("ENABLED", *names)).encode("ascii"))


def exists(count: int) -> Response:
    """How many messages there are (RFC 3501 §7.3.1)."""
    return Response(b"* %d EXISTS\r\n" % count)


def recent(count: int) -> Response:
    r"""How many messages have \Recent (RFC 3501 §7.3.2)."""
    return Response(b"* %d RECENT\r\n" % count)


def expunge(seq: int) -> Response:
    """The message is gone and every higher number is one lower (RFC 3501 §7.4.1)."""
    return Response(b"* %d EXPUNGE\r\n" % seq)


def fetch(seq: int, items: bytes) -> Response:
    """*items* without their parentheses (RFC 3501 §7.4.2)."""
    return Response(b"* %d FETCH (%b)\r\n" % (seq, items))


def flags(names: bytes) -> Response:
    """FLAGS of a mailbox; *names* without parentheses (RFC 3501 §7.2.6)."""
    return line(b"FLAGS (%b)" % names)


def mailbox_list(
    attributes: Iterable[str], name: bytes, *, extended: bytes = b"", what: bytes = b"LIST"
) -> Response:
    """LIST or LSUB; *name* in its wire form, *extended* data items or none (RFC 3501 §7.2.2; RFC 9051 §7.3.1)."""
    more = b" (%b)" % extended if extended else b""
    return line(b'%b (%b) "/" %b%b' % (what, " ".join(attributes).encode("ascii"), name, more))


def status(name: bytes, items: Iterable[tuple[str, str]]) -> Response:
    """STATUS; *name* in its wire form (RFC 3501 §7.2.4)."""
    pairs = " ".join(f"{item} {value}" for item, value in items)
    return line(b"STATUS %b (%b)" % (name, pairs.encode("ascii")))


def my_rights(name: bytes, have: str) -> Response:
    """MYRIGHTS; *name* in its wire form (RFC 4314 §3.8)."""
    return line(b"MYRIGHTS %b %b" % (name, rights.shown(have).encode("ascii") or b'""'))


def search(numbers: Iterable[int]) -> Response:
    """SEARCH; empty when nothing was found (RFC 3501 §7.2.5)."""
    return line(" ".join(("SEARCH", *map(str, numbers))).encode("ascii"))


def copyuid(uidvalidity: int, source: Sequence[int], target: Sequence[int]) -> str:
    """Response code COPYUID; both lists in the same order (RFC 4315 §3)."""
    return f"COPYUID {uidvalidity} {compress(source)} {compress(target)}"


def appenduid(uidvalidity: int, uids: Sequence[int]) -> str:
    """Response code APPENDUID, the UIDs in the order of the messages (RFC 4315 §3)."""
    return f"APPENDUID {uidvalidity} {compress(uids)}"
