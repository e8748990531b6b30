r"""MAIL and RCPT as the client says them, with what the server's extensions allow; and what it cannot take at all.

Spec: RFC 5321 §4.1.1.2, §4.1.1.3; RFC 1870 §5; RFC 6152 §3; RFC 6531 §3.1; RFC 3461 §4, §5.2; RFC 6533 §3;
RFC 8689 §4.2.1.  Status: complete.
"""

import re

from mailserver.smtp.client_capabilities import Capabilities
from mailserver.smtp.outgoing import Outgoing, Rcpt
from mailserver.smtp.reply import Reply

_PLAIN = re.compile(r"[\x21-\x2a\x2c-\x3c\x3e-\x7e]*")  # RFC 3461 §4: xchar
_ENCODED = re.compile(r"[^\x21-\x2a\x2c-\x3c\x3e-\x7e]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_EMBEDDED = re.compile(r"[^\x21-\x2a\x2c-\x3c\x3e-\x5b\x5d-\x7e]")  # RFC 6533 §3: no QCHAR

BAD_ADDRESS = Reply(553, "5.1.3", "An address of this message cannot be written in SMTP")
NO_8BITMIME = Reply(554, "5.6.3", "The next server does not take 8-bit content")
NO_SMTPUTF8 = Reply(553, "5.6.7", "The next server does not take addresses or headers beyond ASCII")
NO_REQUIRETLS = Reply(550, "5.7.30", "The next server does not support REQUIRETLS")
NO_TLS = Reply(550, "5.7.10", "The message needs TLS, and the connection has none")


def unfit(capabilities: Capabilities, outgoing: Outgoing, *, is_tls: bool) -> Reply | None:
    """Why a server with these *capabilities* cannot take the message; None when it can."""
    if capabilities.size is not None and outgoing.size > capabilities.size:
        return Reply(
            552,
            "5.3.4",
            f"Message of {outgoing.size} octets is larger than the {capabilities.size} that the next server takes",
        )
    if "SMTPUTF8" not in capabilities and needs_utf8(outgoing):
        return NO_SMTPUTF8
    if outgoing.is_8bit and "8BITMIME" not in capabilities:
        return NO_8BITMIME
    if outgoing.needs_tls:
        if not is_tls:
            return NO_TLS
        if "REQUIRETLS" not in capabilities:
            return NO_REQUIRETLS
    return None


def needs_utf8(outgoing: Outgoing) -> bool:
    """The message cannot go without SMTPUTF8 (RFC 6531 §3.1)."""
    return (
        outgoing.is_utf8
        or not outgoing.sender.isascii()
        or not all(rcpt.address.isascii() for rcpt in outgoing.recipients)
    )


def mail(capabilities: Capabilities, outgoing: Outgoing) -> bytes:
    """The MAIL command with its CRLF.  Raises ValueError for a sender that is no address."""
    words = [f"MAIL FROM:<{outgoing.sender}>"]
    if "SIZE" in capabilities and outgoing.size:
        words.append(f"SIZE={outgoing.size}")
    if outgoing.is_8bit:
        words.append("BODY=8BITMIME")
    if needs_utf8(outgoing):
        words.append("SMTPUTF8")
    if outgoing.needs_tls:
        words.append("REQUIRETLS")
    if "DSN" in capabilities:
        if outgoing.ret:
            words.append(f"RET={outgoing.ret}")
        if outgoing.envid:
            words.append(f"ENVID={xtext(outgoing.envid)}")
    return _line(words)


def rcpt(capabilities: Capabilities, recipient: Rcpt, *, is_utf8: bool) -> bytes:
    """The RCPT command with its CRLF.  Raises ValueError for a recipient that is no address."""
    words = [f"RCPT TO:<{recipient.address}>"]
    if "DSN" in capabilities:
        if recipient.notify:
            words.append(f"NOTIFY={recipient.notify}")
        if recipient.original and (original := orcpt(recipient.original, is_utf8=is_utf8)):
            words.append(f"ORCPT={original}")
    return _line(words)


def orcpt(original: str, *, is_utf8: bool) -> str:
    r"""The value of ORCPT for *original*, "rfc822;bob@example.org"; "" when it cannot be said.

    An address beyond ASCII has the type utf-8; without SMTPUTF8 its characters are written \x{...} (RFC 6533 §3).
    """
    kind, _, address = original.partition(";")
    if kind.lower() == "utf-8":
        return f"{kind};{_EMBEDDED.sub(_keep if is_utf8 else _embed, address)}"
    return f"{kind};{xtext(address)}" if address.isascii() else ""


def xtext(text: str) -> str:
    """ASCII *text* so that it holds no blank, "+" or "=" (RFC 3461 §4)."""
    return text if _PLAIN.fullmatch(text) else _ENCODED.sub(lambda m: f"+{ord(m[0]):02X}", text)


def _embed(match: re.Match[str]) -> str:
    return f"\\x{{{ord(match[0]):02X}}}"


def _keep(match: re.Match[str]) -> str:
    return match[0] if ord(match[0]) >= 0xA0 else _embed(match)


def _line(words: list[str]) -> bytes:
    """One command line, whatever the addresses hold: nobody gets a second command out of one."""
    line = " ".join(words)
    if _CONTROL.search(line):
        raise ValueError(f"no address: {words[0]!r}")
    return line.encode() + b"\r\n"
