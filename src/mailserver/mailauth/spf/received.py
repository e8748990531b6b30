"""Received-SPF: the header field that tells readers of a check.

Spec: RFC 7208 §9.1.  Status: complete.
"""

import re

from mailserver.mailauth.spf.client import Address
from mailserver.mailauth.spf.result import SpfResult, said

_DOT_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LONGEST = 320  #: characters of one value
_NEXT = ";\r\n\t"  #: between two pairs
_PLAIN = str.maketrans("()\\", "[]/")


def build(result: SpfResult, ip: Address | str, sender: str, helo: str, receiver: str) -> bytes:
    """The whole field, folded, with its line end; to stand above the Received field of this server."""
    before, after = around(result, ip, helo, receiver)
    return between(before, result, sender, after)


def around(result: SpfResult, ip: Address | str, helo: str, receiver: str) -> tuple[str, str]:
    """The field but for its sender: what stands before, and behind."""
    pairs = [
        ("helo", helo),
        ("receiver", receiver),
        ("mechanism", result.mechanism),
        ("problem", result.reason if result.result in ("permerror", "temperror") else ""),
    ]
    before = f"Received-SPF: {result.result} ({_comment(result.reason)})\r\n\t"
    before += f"identity={_value(result.identity)}{_NEXT}client-ip={_value(str(ip))}"
    return before, "".join([f"{_NEXT}{key}={_value(text)}" for key, text in pairs if text]) + "\r\n"


def between(before: str, result: SpfResult, sender: str, after: str) -> bytes:
    """The whole field, of what `around` says, and its sender."""
    if result.identity == "mailfrom" and sender:
        before += f"{_NEXT}envelope-from={_value(sender)}"
    return (before + after).encode()


def _value(text: str) -> str:
    text = said(text[:_LONGEST])[:_LONGEST]
    if _DOT_ATOM.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _comment(text: str) -> str:
    """Without parentheses, which would have to match, and without what quotes."""
    return said(text).translate(_PLAIN)
