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
#: fields of `tag=value`, in which a tag before an address is none of its local part
_TAGGED = frozenset(
    name for name in SHOWN if name.startswith((b"dkim-", b"arc-", b"authentication-", b"received-"))
)
_RUN = rb"[^\s<>@\"(),;:\\\[\]]"  # characters of a local part; looked at from the first of them on, once
_ADDRESS = re.compile(
    rb"(?<!" + _RUN + rb")(" + _RUN + rb'++|"(?:[^"\\\r\n]|\\.){0,64}")@(?=[A-Za-z0-9.\[-])'
)
_COMMENT = re.compile(rb"\((?:[^()\\]|\\.)*\)", re.DOTALL)
_NESTED = 10  #: comments in comments
_NAME = re.compile(rb"[^<>]*(<[^<>]*>)")


def redacted(header: bytes, key: bytes) -> bytes:
    """The fields of *header* that are shown, addresses in them without their local parts, names in From left out."""
    out = []
    for name, field in split_fields(header[:SIZE]):
        lower = name.lower()
        if lower not in SHOWN:
            continue
        value = field.partition(b":")[2]
        if lower in (b"from", b"sender"):
            value = _without_names(value)
        value = _marked(value, key, is_tagged=lower in _TAGGED)
        out.append(name + b":" + value.rstrip(b"\r\n") + b"\r\n")
    return b"".join(out)


def _without_names(value: bytes) -> bytes:
    """Addresses alone: names stand before them, or in comments behind them (RFC 5322 §3.4, appendix A.5)."""
    if b"<" in value:
        return b" " + b", ".join(_NAME.findall(value)) + b"\r\n"
    for _ in range(_NESTED):
        before, value = value, _COMMENT.sub(b"", value)
        if value == before:
            break
    return value.partition(b"(")[0]


def address(text: str, key: bytes) -> str:
    """An address of an envelope without its local part; "" stays."""
    return _marked(text.encode("utf-8", "replace"), key, is_tagged=False).decode("utf-8", "replace")


def results(text: str, key: bytes) -> str:
    """Authentication-Results without local parts."""
    return _marked(text.encode("utf-8", "replace"), key, is_tagged=True).decode("utf-8", "replace")


def _marked(value: bytes, key: bytes, *, is_tagged: bool) -> bytes:
    def marked(found: re.Match[bytes]) -> bytes:
        tag, equals, rest = found[1].partition(b"=")
        if is_tagged and rest and not found[1].startswith(b'"'):
            return tag + equals + mark(rest, key) + b"@"
        return mark(found[1], key) + b"@"

    return _ADDRESS.sub(marked, value)


def mark(localpart: bytes, key: bytes) -> bytes:
    """What stands for *localpart* (RFC 6590 §3)."""
    return hmac.digest(key, localpart, hashlib.sha256).hex()[:20].encode()
