"""The fields that stand before a message once we have taken it: Return-Path, Delivered-To, Received.

Spec: RFC 5321 §4.4; RFC 3848; RFC 6531 §3.7.3, §4.3; RFC 8314 §7.4 (TLS in a comment); RFC 9228 §4.  Status: complete.

Delivered-To shows the address that the mail was sent to, detail included, and only where there was one recipient:
others might be blind copies (RFC 5321 §7.2), and all recipients share the bytes.  Who logged in is not shown.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from mailserver.smtp.address import Address, literal

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(slots=True)
class Client:
    """Who is talking to us, as the trace tells it.

    peer: its IP address; "" on a UNIX socket.      helo: what it called itself.
    tls:  version and cipher, "" without TLS.
    """

    peer: str
    helo: str = ""
    is_esmtp: bool = False
    is_authenticated: bool = False
    tls: str = ""
    is_lmtp: bool = False


def protocol(client: Client, *, smtputf8: bool) -> str:
    """The keyword after "with": ESMTPSA and its kin (RFC 3848 §1; RFC 6531 §4.3)."""
    if not client.is_esmtp:
        return "SMTP"
    smtp = "LMTP" if client.is_lmtp else "SMTP"
    name = f"UTF8{smtp}" if smtputf8 else "LMTP" if client.is_lmtp else "ESMTP"
    return f"{name}{'S' if client.tls else ''}{'A' if client.is_authenticated else ''}"


def local_fields(sender: Address | None, only: Address | None) -> bytes:
    """Return-Path and Delivered-To with their line ends: for copies in mailboxes, never for mail that leaves.

    only: the one recipient as the client wrote it; None if there are more.
    """
    fields = f"Return-Path: <{sender if sender is not None else ''}>\r\n"
    if only is not None and only.domain:
        fields += f"Delivered-To: {only}\r\n"
    return fields.encode()


def received(
    client: Client,
    *,
    hostname: str,
    id: str,
    only: Address | None,
    smtputf8: bool,
    now: int,
    instead: str = "",
) -> bytes:
    """The Received field with its line end; *only* as in `local_fields`.

    instead: a domain that stands there for the client's name and address, where they are nobody's business.
    """
    name = client.helo if client.helo else "unknown"
    origin = instead or (f"{name} ({literal(client.peer)})" if client.peer else name)
    tls = f" ({client.tls})" if client.tls else ""
    wanted = f"\r\n\tfor <{only}>;" if only is not None and only.domain else ";"
    return (
        f"Received: from {origin}\r\n"
        f"\tby {hostname} with {protocol(client, smtputf8=smtputf8)}{tls}\r\n"
        f"\tid {id}{wanted}\r\n"
        f"\t{date_time(now)}\r\n"
    ).encode()


@lru_cache(maxsize=8)
def date_time(now: int) -> str:
    """Local time with its offset, as RFC 5322 §3.3 writes it (RFC 5321 §4.4)."""
    t = datetime.fromtimestamp(now, UTC).astimezone()
    return (
        f"{_DAYS[t.weekday()]}, {t.day} {_MONTHS[t.month - 1]} {t.year}"
        f" {t.hour:02}:{t.minute:02}:{t.second:02} {t:%z}"
    )
