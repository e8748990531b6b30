"""Values of DSN parameters as they stand in a command: xtext, and its Unicode form.

Spec: RFC 3461 §4, §4.2; RFC 6533 §3.  Status: complete.
"""

import re

from mailserver.base.errors import PeerError

_XTEXT = re.compile(r"(?:[\x21-\x2a\x2c-\x3c\x3e-\x7e]|\+[0-9A-F]{2})*")
_HEXCHAR = re.compile(r"\+([0-9A-F]{2})")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_TO_HIDE = re.compile(r"[^\x21-\x2a\x2c-\x3c\x3e-\x7e]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/?^_`{|}~-]{1,100}")  # RFC 5322 §3.2.3
_EMBEDDED = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_TO_EMBED = re.compile(r"[\x00-\x20\x7f\\+=]")
_TO_EMBED_7BIT = re.compile(r"[\x00-\x20\x7f\\+=]|[^\x00-\x7f]")


def is_xtext(text: str) -> bool:
    """Whether *text* is xtext, whatever it stands for."""
    return _XTEXT.fullmatch(text) is not None


def decode(text: str) -> str:
    """What the xtext *text* stands for: printable ASCII.  Raises PeerError."""
    if not is_xtext(text):
        raise PeerError("the value is not encoded as xtext")
    plain = _HEXCHAR.sub(lambda m: chr(int(m[1], 16)), text)
    if _UNPRINTABLE.search(plain):
        raise PeerError("the value stands for more than printable ASCII")
    return plain


def encode(plain: str) -> str:
    """Printable ASCII as xtext."""
    return _TO_HIDE.sub(lambda m: f"+{ord(m[0]):02X}", plain)


def decode_original(text: str) -> str:
    """An ORCPT value, decoded: type, ";", address; the type as the client wrote it.  Raises PeerError.

    What is labelled utf-8 is taken even where the rest is no address: notices show it as it came (RFC 6533 §3).
    """
    kind, semicolon, address = text.partition(";")
    if not semicolon or not address or not _ATOM.fullmatch(kind):
        raise PeerError("an original recipient has the form type;address")
    if kind.lower() != "utf-8":
        return f"{kind};{decode(address)}"
    plain = _EMBEDDED.sub(_embedded, address)
    if _CONTROL.search(plain):
        raise PeerError("the address holds a character that cannot be printed")
    return f"{kind};{plain}"


def encode_original(original: str, *, smtputf8: bool) -> str:
    """An ORCPT value for a server that knows *smtputf8* or not; *original* as `decode_original` gives it."""
    kind, _, address = original.partition(";")
    if kind.lower() != "utf-8":
        return f"{kind};{encode(address)}"
    hide = _TO_EMBED if smtputf8 else _TO_EMBED_7BIT
    return f"{kind};{hide.sub(_embed, address)}"


def _embed(match: re.Match[str]) -> str:
    return f"\\x{{{ord(match[0]):02X}}}"


def _embedded(match: re.Match[str]) -> str:
    point = int(match[1], 16)
    if point > 0x10FFFF:
        raise PeerError("the address holds a character that is none")
    return chr(point)
