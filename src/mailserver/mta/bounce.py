"""Notices about mail: not delivered, late, delivered, passed on.  First for a person, then for programs.

Spec: RFC 3461 §5.2, §6; RFC 3464; RFC 6522; RFC 6533; RFC 3834 §5.  Status: complete.

A notice has a null return path and is marked as automatic, so that nothing answers it, and there is none about mail
that has a null return path itself.  The original comes back in full only where that was not declined (RET=HDRS), the
notice is about a failure, and it is small; else its header does.
"""

import re
from collections.abc import Sequence

from mailserver.mime import compose
from mailserver.mime.headers import FIELD
from mailserver.mta import delivery_status, letter
from mailserver.mta.notice import Kind, Original, Recipient, Returned, is_wanted
from mailserver.mta.trace import date_time

_EMPTY_LINE = re.compile(rb"\A\r?\n|\n\r?\n")


def report(
    kind: Kind,
    original: Original,
    recipients: Sequence[Recipient],
    returned: Returned,
    *,
    hostname: str,
    id: str,
    now: int,
) -> bytes | None:
    """The notice, or None if nobody is to get one about any of *recipients*.

    It is for `original.reader`, with a null return path.  Recipients whose NOTIFY asks for no such notice are left out
    of it (RFC 3461 §5.2.8).  id: a token that no other message has.
    """
    told = [r for r in recipients if is_wanted(kind, r.notify)]
    if not original.reader or not told:
        return None
    header = (
        compose.field("Date", date_time(now))
        + compose.field("From", compose.mailbox("Mail Delivery", f"postmaster@{hostname}"))
        + compose.field("To", compose.mailbox("", original.reader))
        + compose.field("Subject", compose.encode_text(letter.subject(kind, original.subject)))
        + compose.field("Message-ID", f"<{id}@{hostname}>")
        + compose.field("Auto-Submitted", "auto-replied")
    )
    if original.message_id:
        header += compose.field("In-Reply-To", original.message_id)
        header += compose.field("References", original.message_id)
    is_owner = original.reader != original.sender
    text = letter.text(kind, original, told, hostname=hostname, is_owner=is_owner)
    parts = [
        compose.text_part(text),
        delivery_status.part(kind, original, told, hostname=hostname),
        returned_part(returned),
    ]
    return header + compose.multipart("report", parts, id, [("report-type", "delivery-status")])


def returned_part(returned: Returned) -> bytes:
    """The third part: the message, or its header section (RFC 6522 §3, §4; RFC 6533 §4.2, §4.3)."""
    head = header_of(returned.data)
    is_utf8 = not head.isascii() and _is_utf8(head)
    if returned.is_whole:
        kind = "message/global" if is_utf8 else "message/rfc822"
        return compose.part(kind, returned.data, description="The message")
    if is_utf8:
        return compose.part("message/global-headers", head, description="Its header")
    plain = head.decode("ascii", "replace").replace("\N{REPLACEMENT CHARACTER}", "?").encode()
    return compose.part("text/rfc822-headers", plain, description="Its header")


def header_of(data: bytes) -> bytes:
    """The header section at the start of *data*, without its empty line; up to the last whole field if *data* ends."""
    end = _EMPTY_LINE.search(data)
    if end is not None:
        return data[: end.start() + 1] if end.start() else b""
    last = 0
    for m in FIELD.finditer(data):
        if m[1] is None and m.end() > m.start():  # a line that is no field: the body has begun
            return data[: m.start()]
        if m.end() < len(data) or data.endswith(b"\n"):
            last = m.end()
    return data[:last]


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
