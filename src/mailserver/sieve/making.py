"""Parts that a script writes: texts, entities, address lists, fields; none can break out of where it is put.

Spec: RFC 5703 §5, §6; RFC 2045 §2.4; RFC 2046 §5.1.1.  Status: complete.
"""

import re

from mailserver.mime import compose, encode
from mailserver.mime.addresses import Budget, parse_addresses
from mailserver.mime.headers import split_fields
from mailserver.sieve.addresses import one_mailbox

Fields = list[tuple[bytes, bytes]]

_LINE_END = re.compile(r"\r\n|\r|\n")
#: lines that stay as they are: neither too long, nor like a boundary
_PLAIN = re.compile(rb"(?!--)[\t -~]{0,990}")
_MOST = 100  # addresses of a field that a script writes


def text(value: str) -> tuple[Fields, bytes]:
    """(its fields, the content) of a text/plain part; base64 unless it is ASCII that nobody can mistake.

    No line of it looks like a boundary.
    """
    content = "\r\n".join(_LINE_END.split(value)).encode("utf-8", "replace")
    if all(_PLAIN.fullmatch(line) for line in content.split(b"\r\n")):
        return _fields(("Content-Type", "text/plain; charset=us-ascii")), content
    fields = _fields(
        ("Content-Type", "text/plain; charset=utf-8"), ("Content-Transfer-Encoding", "base64")
    )
    return fields, encode.Base64()(content, True)


def entity(value: str) -> tuple[Fields, bytes]:
    """(its fields, what follows the empty line) of a MIME entity in a string; without fields it is all content."""
    octets = "\r\n".join(_LINE_END.split(value)).encode("utf-8", "replace")
    head, empty, body = octets.partition(b"\r\n\r\n")
    fields = split_fields(head + b"\r\n")
    if octets.startswith(b"\r\n") or not fields:
        return [], octets.removeprefix(b"\r\n")
    return fields, body if empty else b""


def address_list(value: str) -> str:
    """*value* as a From field has it: addresses with their names encoded; "" where it is no list of addresses."""
    if len(value) > 10_000 or "\r" in value or "\n" in value:
        return ""
    out = []
    for found in parse_addresses(value.encode(errors="replace"), Budget(_MOST)):
        if found.mailbox is None or found.domain is None:
            return ""
        address = (
            f"{found.mailbox.decode(errors='replace')}@{found.domain.decode(errors='replace')}"
        )
        if one_mailbox(address) is None:
            return ""
        name = "" if found.name is None else found.name.decode(errors="replace")
        out.append(compose.mailbox(name, address))
    return ", ".join(out)


def is_of_content(name: bytes) -> bool:
    """Whether a field of this name tells of the content, and goes with it (RFC 2045 §3)."""
    lower = name.lower()
    return lower.startswith(b"content-") or lower == b"mime-version"


def _fields(*values: tuple[str, str]) -> Fields:
    return [(name.encode(), compose.field(name, value)) for name, value in values]
