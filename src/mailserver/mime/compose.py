"""Mail that we write ourselves: header fields, encoded words, parts, multiparts.

Spec: RFC 5322 §2.1.1, §2.2.3, §3.2.5; RFC 2047 §2, §5; RFC 2045 §2, §5, §6; RFC 2046 §5.1.  Status: complete.

No value, wherever it comes from, can end a field or begin one: controls become spaces.
"""

import binascii
import re
from collections.abc import Iterable, Sequence

LINE = 78  #: characters of a line where it can be kept so short (RFC 5322 §2.1.1)
_LONG = (
    900  # octets in one piece; with a field's name and a space less than the 998 of RFC 5322 §2.1.1
)
_WORD = (
    45  # octets in one encoded word: 60 digits and 12 characters around them, RFC 2047 §2 allows 75
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SPACES = re.compile(r"([ \t]+)")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LINE_END = re.compile(r"\r\n|\r|\n")


def encode_text(value: str) -> str:
    """*value* for an unstructured field: as it is in ASCII, else as encoded words (RFC 2047 §5 (1)); one line."""
    value = one_line(value)
    if value.isascii() and "=?" not in value:
        return value
    words: list[str] = []
    chunk = b""
    for char in value:
        octets = char.encode("utf-8", "replace")
        if len(chunk) + len(octets) > _WORD:  # a character is never cut (RFC 2047 §5)
            words.append(_encoded_word(chunk))
            chunk = b""
        chunk += octets
    if chunk:
        words.append(_encoded_word(chunk))
    return " ".join(words)


def encode_phrase(value: str) -> str:
    """*value* as a display name: atoms, a quoted string, or encoded words (RFC 5322 §3.2.5; RFC 2047 §5 (3))."""
    value = one_line(value)
    if not value.isascii() or "=?" in value:
        return encode_text(value)
    if _ATOMS.fullmatch(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def mailbox(name: str, address: str) -> str:
    """`name <address>` for an address field, *address* as it stands; without a name the address alone."""
    address = one_line(address).replace(" ", "")
    return f"{encode_phrase(name)} <{address}>" if name else address


def one_line(value: str) -> str:
    """*value* without controls and without white space at its ends."""
    return _CONTROL.sub(" ", value).strip()


def field(name: str, value: str) -> bytes:
    """`Name: value` CRLF, folded at white space to lines of at most 78 characters where it has some (RFC 5322 §2.2.3).

    A piece without white space stays whole up to what a line can hold at all, and is cut there.
    """
    lines: list[str] = []
    line, space = f"{name}:", ""
    for i, piece in enumerate(_SPACES.split(" " + one_line(value))[1:]):
        if i % 2 == 0:
            space = piece[: LINE // 2]
        elif piece:
            for cut in _cut(piece):
                if len(line) + len(space) + len(cut) > LINE and len(line) > len(name) + 1:
                    lines.append(line)
                    line, space = "", space or " "
                line += space + cut
                space = ""
    lines.append(line)
    return "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n"


def text_part(value: str) -> bytes:
    """A text/plain entity with its header: 7bit where it can be, else UTF-8 in 8bit; CRLF at every line's end."""
    lines = [cut for line in _LINE_END.split(value) for cut in _cut(line)]
    if lines and lines[-1] == "":
        lines.pop()
    body = "".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace")
    charset = "us-ascii" if body.isascii() else "utf-8"
    return part(f"text/plain; charset={charset}", body)


def part(content_type: str, body: bytes, *, description: str = "") -> bytes:
    """An entity with its header; *body* is 7bit or 8bit data, and is labelled so (RFC 2045 §6.2)."""
    header = field("Content-Type", content_type)
    if description:
        header += field("Content-Description", encode_text(description))
    if not body.isascii():
        header += field("Content-Transfer-Encoding", "8bit")
    return header + b"\r\n" + body


def multipart(
    subtype: str, parts: Sequence[bytes], seed: str, parameters: Iterable[tuple[str, str]] = ()
) -> bytes:
    """A multipart entity of *parts*, with its header and MIME-Version, to stand behind a message's other fields.

    seed: a token that the boundary is made of; one that occurs in a part is made longer (RFC 2046 §5.1.1).
    """
    boundary = f"=_{seed}"
    while any(f"--{boundary}".encode() in each for each in parts):
        boundary += "_"
    said = "".join(f" {name}={value};" for name, value in parameters)
    header = field("MIME-Version", "1.0")
    header += field("Content-Type", f'multipart/{subtype};{said} boundary="{boundary}"')
    if not all(each.isascii() for each in parts):
        header += field("Content-Transfer-Encoding", "8bit")
    line = f"--{boundary}".encode()
    body = b"".join(b"\r\n" + line + b"\r\n" + each for each in parts)[2:]
    return header + b"\r\n" + body + b"\r\n" + line + b"--\r\n"


def _encoded_word(octets: bytes) -> str:
    return "=?utf-8?B?" + binascii.b2a_base64(octets, newline=False).decode() + "?="


def _cut(text: str) -> list[str]:
    """*text* in pieces of at most _LONG octets; one piece, "", if it is empty."""
    most = _LONG if text.isascii() else _LONG // 4
    return [text[at : at + most] for at in range(0, len(text), most)] or [""]
