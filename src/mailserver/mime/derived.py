"""What is computed once from a message's bytes and stored beside them: FETCH and SEARCH read it and never parse again.

Spec: RFC 3501 §7.4.2; RFC 5256 §2.1, §3.  Status: complete.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Derived:
    r"""Everything the other rooms want to know about one body.

    envelope, body, bodystructure: text for the wire with the outer parentheses; a string is quoted, or a
    literal {n}\r\n where it cannot be.
    layout:        the part tree, packed; `mime.layout.unpack` reads it.
    header_size:   octets up to and including the empty line.
    sent_at:       the Date field as UTC epoch seconds; None where it is missing or makes no sense.
    sent_day:      the Date field's own calendar day as the ordinal of datetime.date, its zone disregarded.
    subject:       decoded and unfolded, at most 1,000 characters.
    base_subject:  RFC 5256 §2.1, for SORT and THREAD.
    sort_from, sort_to, sort_cc: mailbox part of the first address, case folded (RFC 5256 §3).
    message_id:    "<...>" or "".
    thread_keys:   signed 64-bit hashes of (normalised message-id, base subject) for Message-ID, In-Reply-To and
                   References; the message's own first; at most 32.
    hops:          number of Received fields at the top level.
    """

    envelope: bytes
    body: bytes
    bodystructure: bytes
    layout: bytes
    header_size: int
    sent_at: int | None
    sent_day: int | None
    subject: str
    base_subject: str
    sort_from: str
    sort_to: str
    sort_cc: str
    message_id: str
    thread_keys: tuple[int, ...]
    hops: int
