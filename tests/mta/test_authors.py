"""Who wrote a message: From and Sender are found wherever they stand, as the parser of all fields finds them."""

from hypothesis import given
from hypothesis import strategies as st

from mailserver.mime.headers import FIELD
from mailserver.mta import authors

LINES = st.sampled_from(
    [
        b"From: a@example.test",
        b"FROM : b@example.test",
        b"from nobody",
        b"From",
        b"From-Somewhere: x",
        b" From: folded@example.test",
        b"Sender: c@example.test",
        b"sender\t: d@example.test",
        b"Senders: x",
        b"\tSender: folded@example.test",
        b"Subject: From: e@example.test",
        b"no field at all",
        b"",
    ]
)
HEADERS = st.lists(LINES, max_size=8).flatmap(
    lambda lines: st.sampled_from([b"\r\n".join([*lines, b""]), b"\n".join(lines)])
)


@given(HEADERS)
def test_no_field_is_missed_and_none_is_invented(header: bytes) -> None:
    """RFC 7103 §7.5.1: what one program takes for the author, another must not overlook."""
    names = [m[1].lower() for m in FIELD.finditer(header) if m[1] is not None]
    expected = names.count(b"from"), names.count(b"sender")
    found, counted = authors.read(header), authors.count(header)
    assert (found.from_fields, found.sender_fields) == expected
    assert (counted.from_fields, counted.sender_fields) == expected
