"""Received-SPF: the header field that tells readers of a check.

Spec: RFC 7208 §9.1.  Status: complete.
"""

import re
from functools import lru_cache

from mailserver.mailauth.spf.client import Address
from mailserver.mailauth.spf.result import SpfResult, said

_DOT_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LONGEST = 320  #: characters of one value
_REMEMBERED = 2_000  #: values and reasons that are not looked at again
_PLAIN = str.maketrans("()\\", "[]/")


def build(result: SpfResult, ip: Address | str, sender: str, helo: str, receiver: str) -> bytes:
    """The whole field, folded, with its line end; to stand above the Received field of this server."""
    pairs = [
        ("identity", result.identity),
        ("client-ip", str(ip)),
        ("envelope-from", sender if result.identity == "mailfrom" else ""),
        ("helo", helo),
        ("receiver", receiver),
        ("mechanism", result.mechanism),
        ("problem", result.reason if result.result in ("permerror", "temperror") else ""),
    ]
    lines = ";\r\n\t".join([f"{key}={_value(text[:_LONGEST])}" for key, text in pairs if text])
    return f"Received-SPF: {result.result} ({_comment(result.reason)})\r\n\t{lines}\r\n".encode()


@lru_cache(maxsize=_REMEMBERED)
def _value(text: str) -> str:
    text = said(text)[:_LONGEST]
    if _DOT_ATOM.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@lru_cache(maxsize=_REMEMBERED)
def _comment(text: str) -> str:
    """Without parentheses, which would have to match, and without what quotes."""
    return said(text).translate(_PLAIN)
