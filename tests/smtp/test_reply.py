"""Replies on the wire."""

import pytest

from mailserver.smtp.reply import Reply


@pytest.mark.rfc(5321, "4.2", "4.2.1")
@pytest.mark.rfc(2034, "4")
@pytest.mark.parametrize(
    ("reply", "wire"),
    [
        (Reply(250, "2.1.0", "Sender is fine"), b"250 2.1.0 Sender is fine\r\n"),
        (Reply(354, "", "Go ahead"), b"354 Go ahead\r\n"),
        (
            Reply(250, "", "mx.example.test\nSIZE 10\nHELP"),
            b"250-mx.example.test\r\n250-SIZE 10\r\n250 HELP\r\n",
        ),
        (Reply(550, "5.1.1", "no\nsuch"), b"550-5.1.1 no\r\n550 5.1.1 such\r\n"),
        (Reply(550, "5.1.1", "müller"), b"550 5.1.1 m\\xfcller\r\n"),
    ],
)
def test_wire(reply: Reply, wire: bytes) -> None:
    assert bytes(reply) == wire


def test_severity() -> None:
    assert Reply(354, "", "x").is_positive
    assert not Reply(452, "4.2.2", "x").is_positive
    assert not Reply(452, "4.2.2", "x").is_permanent
    assert Reply(550, "5.1.1", "x").is_permanent
    assert str(Reply(550, "5.1.1", "no\nsuch")) == "550 5.1.1 no / such"
