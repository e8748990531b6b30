"""TLS-Required: No, as it is found in messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mta.tls_required import MOST, is_waived

LETTER = b"From: a@example.test\r\n%bSubject: x\r\n\r\nTLS-Required: No\r\n"


@pytest.mark.rfc(8689, "3")
@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (b"TLS-Required: No\r\n", True),
        (b"tls-required:NO\r\n", True),
        (b"TLS-Required:\r\n No \r\n", True),
        (b"", False),
        (b"TLS-Required: Yes\r\n", False),
        (b"TLS-Required: No way\r\n", False),
        (b"TLS-Required: No\r\nTLS-Required: No\r\n", False),
        (b"TLS-Required: No\r\nTLS-Required : Yes\r\n", False),
        (b"X-TLS-Required: No\r\n", False),
        (b"X:\r\n TLS-Required: No\r\n", False),
        (b"X: " + b"x" * MOST + b"\r\nTLS-Required: No\r\n", False),
    ],
)
def test_the_field(field: bytes, expected: bool) -> None:
    assert is_waived(LETTER % field) is expected


@given(st.lists(st.sampled_from([b"TLS-Required", b":", b" ", b"No", b"\r\n", b"\r", b"\n", b"x"])))
def test_garbage_says_nothing_but_yes_or_no(words: list[bytes]) -> None:
    assert is_waived(b"".join(words)) in (True, False)
