"""The part of a notice that programs read: fields about the message, then a group of fields for each recipient.

Spec: RFC 3464 §2; RFC 3461 §6.3, §9; RFC 6533 §3, §4.1.  Status: complete.
"""

import ipaddress
import re
from collections.abc import Sequence

from mailserver.mime import compose
from mailserver.mta.notice import Kind, Original, Recipient
from mailserver.mta.trace import date_time
from mailserver.smtp.address import literal

MOST_REPLY = 2_000  #: characters of another server's reply that are passed on
_STATUS = re.compile(r"([245])\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})")
_NO_STATUS = {Kind.FAILED: "5.0.0", Kind.DELAYED: "4.0.0"}  # RFC 3461 §6.3 (g)
_CLASSES = {Kind.FAILED: "45", Kind.DELAYED: "4"}  # RFC 3464 §2.3.4
_UNITEXT = re.compile(r"\\x\{([0-9A-F]{2,6})\}")


def part(
    kind: Kind, original: Original, recipients: Sequence[Recipient], *, hostname: str
) -> bytes:
    """message/delivery-status in ASCII, or message/global-delivery-status where an address is not ASCII."""
    is_global = any(_is_global(r) for r in recipients)
    groups = [_about(original, hostname)]
    groups += [_of(kind, r, original, is_global) for r in recipients]
    subtype = "global-delivery-status" if is_global else "delivery-status"
    return compose.part(f"message/{subtype}", b"\r\n".join(groups), description="Delivery report")


def status_of(kind: Kind, status: str) -> str:
    """*status* if it is one that a notice of this kind can have, or else the one that says least."""
    found = _STATUS.fullmatch(status)
    if found is not None and found[1] in _CLASSES.get(kind, "2"):
        return status
    return _NO_STATUS.get(kind, "2.0.0")


def transcript(code: int, status: str, reply: str) -> list[str]:
    """A reply's lines as they were, "550 5.1.1 No such user", hyphens on all but the last (RFC 3461 §9.2).

    Without a code the reply is ours, and its lines are as they are.
    """
    lines = [compose.one_line(line) for line in reply[:MOST_REPLY].split("\n")]
    lines = [line for line in lines if line] or [""]
    if code == 0:
        return lines
    said = [line if not status or line.startswith(status) else f"{status} {line}" for line in lines]
    return [f"{code}-{line}".rstrip() for line in said[:-1]] + [f"{code} {said[-1]}".rstrip()]


def _about(original: Original, hostname: str) -> bytes:
    fields = []
    if original.envid:
        fields.append(compose.field("Original-Envelope-Id", _ascii(original.envid)))
    fields.append(compose.field("Reporting-MTA", f"dns; {hostname}"))
    fields.append(compose.field("Arrival-Date", date_time(original.arrived_at)))
    return b"".join(fields)


def _of(kind: Kind, r: Recipient, original: Original, is_global: bool) -> bytes:
    fields = []
    if r.original:
        fields.append(compose.field("Original-Recipient", _typed(r.original, is_global)))
    address = f"rfc822; {r.address}" if r.address.isascii() else f"utf-8; {r.address}"
    fields.append(compose.field("Final-Recipient", address))
    fields.append(compose.field("Action", kind))
    fields.append(compose.field("Status", status_of(kind, r.status)))
    if r.host:
        fields.append(compose.field("Remote-MTA", f"dns; {_name(r.host)}"))
    if r.reply or r.code:
        lines = transcript(r.code, r.status, r.reply)
        said = [line if is_global else _ascii(line) for line in lines]
        about = "smtp" if r.code else "x-mailserver"
        fields.append(_lines("Diagnostic-Code", f"{about}; {said[0]}", said[1:]))
    if r.at is not None:
        fields.append(compose.field("Last-Attempt-Date", date_time(r.at)))
    fields.append(compose.field("Final-Log-ID", original.trace))
    if kind is Kind.DELAYED and r.retry_until is not None:
        fields.append(compose.field("Will-Retry-Until", date_time(r.retry_until)))
    return b"".join(fields)


def _name(host: str) -> str:
    """A host as an MTA name: an IP address as a domain literal (RFC 3461 §9.3)."""
    try:
        return literal(str(ipaddress.ip_address(host)))
    except ValueError:
        return host


def _lines(name: str, first: str, more: list[str]) -> bytes:
    """A field with a line for each line of a reply (RFC 3461 §9.2)."""
    return (
        b"\r\n ".join(
            [compose.field(name, first)[:-2], *(line.encode("utf-8", "replace") for line in more)]
        )
        + b"\r\n"
    )


def _is_global(r: Recipient) -> bool:
    return not r.address.isascii() or not r.original.isascii()


def _typed(original: str, is_global: bool) -> str:
    """ORCPT's type and address; an address of type utf-8 in clear where it can be, else 7-bit (RFC 6533 §3)."""
    kind, _, address = original.partition(";")
    if kind.strip().lower() == "utf-8":
        if is_global:
            address = _UNITEXT.sub(_unescaped, address)
        else:
            address = "".join(c if c.isascii() else f"\\x{{{ord(c):X}}}" for c in address)
    return f"{kind.strip()}; {address.strip()}"


def _unescaped(found: re.Match[str]) -> str:
    point = int(found[1], 16)
    if point > 0x10FFFF or 0xD800 <= point < 0xE000 or point < 0x20:
        return found[0]
    return chr(point)


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()
