"""What is computed once from a message's bytes and stored beside them: FETCH and SEARCH read it and never parse again.

Spec: RFC 3501 §7.4.2; RFC 5256 §2.1, §3.  Status: complete.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the way of a message depends on, and what lists of mail in the queue show.

    header_size:   octets up to and including the empty line.
    subject:       decoded and unfolded, at most 1,000 characters.
    message_id:    "<...>" or "".
    hops:          number of Received fields at the top level.
    """

    header_size: int
    subject: str
    message_id: str
    hops: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived(Head):
    r"""Everything the other rooms want to know about one body.

    envelope, body, bodystructure: text for the wire with the outer parentheses; a string is quoted, or a
    literal {n}\r\n where it cannot be.
    layout:        the part tree, packed; `mime.layout.unpack` reads it.
    sent_at:       the Date field as UTC epoch seconds; None where it is missing or makes no sense.
    sent_day:      the Date field's own calendar day as the ordinal of datetime.date, its zone disregarded.
    base_subject:  RFC 5256 §2.1, for SORT and THREAD.
    sort_from, sort_to, sort_cc: mailbox part of the first address, case folded (RFC 5256 §3).
    thread_keys:   signed 64-bit hashes of (normalised message-id, base subject) for Message-ID, In-Reply-To and
                   References; the message's own first; at most 32.
    ancestry:      message-ids that it has and follows; `mime.threads.unpack_ancestry` reads it.
    """

    envelope: bytes
    body: bytes
    bodystructure: bytes
    layout: bytes
    sent_at: int | None
    sent_day: int | None
    base_subject: str
    sort_from: str
    sort_to: str
    sort_cc: str
    thread_keys: tuple[int, ...]
    ancestry: bytes
