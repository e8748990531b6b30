"""Addresses that stand in scripts.

Spec: RFC 5228 §2.4.2.3.  Status: complete.
"""

import re

from mailserver.sieve.header import Mailbox, read_addresses

_ATOM = r"[^\x00-\x20\x7f()<>@,;:\\\".\[\]]+"
_DOT_ATOM = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")


def one_mailbox(text: str) -> Mailbox | None:
    """The mailbox that *text* is, with or without a name before it; None if it is none, or more than one."""
    if len(text) > 1_000 or "\r" in text or "\n" in text:
        return None
    found = read_addresses(text.encode())
    if len(found) != 1:
        return None
    (mailbox,) = found
    is_whole = mailbox.localpart and mailbox.domain != "." and "MISSING_" not in mailbox.whole
    plain = mailbox.domain.strip(".") and not any(
        c.isspace() or c in "<>,;:" for c in mailbox.domain
    )
    return mailbox if is_whole and plain else None


def one_address(text: str) -> str | None:
    """localpart@domain of `one_mailbox`, the local part quoted where it has to be (RFC 5322 §3.4.1)."""
    found = one_mailbox(text)
    if found is None or _DOT_ATOM.fullmatch(found.localpart):
        return None if found is None else found.whole
    quoted = found.localpart.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"@{found.domain}'
