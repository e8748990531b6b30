"""A message's header as somebody else may see it: who, but not whom to; hosts and signatures, but no subject.

Spec: RFC 6590 §2, §3; RFC 9991.  Status: complete.

Local parts become marks: the same one always has the same mark, and nobody without the key finds out whose it is.
"""

import hashlib
import hmac
import re

from mailserver.mime.headers import split_fields

SIZE = 65_536  #: octets of a header that are passed on
#: what helps to find out why a message failed; all other fields may hold what is nobody's business
SHOWN = frozenset(
    [
        b"from",
        b"sender",
        b"date",
        b"message-id",
        b"return-path",
        b"received",
        b"received-spf",
        b"dkim-signature",
        b"authentication-results",
        b"arc-seal",
        b"arc-message-signature",
        b"arc-authentication-results",
        b"list-id",
        b"mime-version",
        b"content-type",
        b"content-transfer-encoding",
    ]
)
_ADDRESS = re.compile(rb"(\"(?:[^\"\\\r\n]|\\.)*\"|[^\s<>@\"(),;:=\\\[\]]+)@(?=[A-Za-z0-9.\[-])")
_NAME = re.compile(rb"[^<>]*(<[^<>]*>)")


def redacted(header: bytes, key: bytes) -> bytes:
    """The fields of *header* that are shown, addresses in them without their local parts, names in From left out."""
    out = []
    for name, field in split_fields(header[:SIZE]):
        lower = name.lower()
        if lower not in SHOWN:
            continue
        value = field.partition(b":")[2]
        if lower in (b"from", b"sender") and b"<" in value:
            value = b" " + b", ".join(_NAME.findall(value)) + b"\r\n"
        value = _ADDRESS.sub(lambda found: mark(found[1], key) + b"@", value)
        out.append(name + b":" + value.rstrip(b"\r\n") + b"\r\n")
    return b"".join(out)


def address(text: str, key: bytes) -> str:
    """An address of an envelope without its local part; "" stays."""
    return _ADDRESS.sub(lambda found: mark(found[1], key) + b"@", text.encode()).decode()


def mark(localpart: bytes, key: bytes) -> bytes:
    """What stands for *localpart* (RFC 6590 §3)."""
    return hmac.digest(key, localpart, hashlib.sha256).hex()[:20].encode()
