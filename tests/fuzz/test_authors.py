"""From and Sender of a message as it came in: whatever stands there is an address or is named as broken.

Spec: RFC 5322 §3.6.2.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailserver.mta.authors import MAX_ADDRESSES, count, read

PIECES = st.sampled_from(
    [
        *(b"From:", b"sender :", b"X: ", b"\r\n", b"\r\n ", b"a@b.test", b"<a@b.test>", b'"q" <x@y.test>'),
        *(b",", b";", b"g:", b"(", b")", b"@", b"<", b">", b'"', b"\\", b"\0", b"\xff", b"\xc3\xa9", b" ", b"\t"),
        *(b".", b"=?utf-8?q?a?=", b"[1.2.3.4]"),
    ]
)  # fmt: skip


@pytest.mark.rfc(5322, "3.6.2")
@settings(max_examples=300, derandomize=True)
@given(st.one_of(st.binary(max_size=300), st.lists(PIECES, max_size=60).map(b"".join)))
def test_any_header(header: bytes) -> None:
    found, counted = read(header), count(header)
    assert found.from_fields <= header.lower().count(b"from")
    assert counted.from_fields <= header.lower().count(b"from")
    assert len(found.addresses) == len(set(found.addresses))
    assert len(found.addresses) <= MAX_ADDRESSES * (found.from_fields + found.sender_fields)
    for address in found.addresses:
        assert "\r" not in str(address)
        assert "\n" not in str(address)
