"""A message inside a message: servers that disagree about where DATA ends see two where there is one.

Spec: RFC 5321 §2.3.8, §4.1.1.4, §4.5.2.
"""

import uuid

import pytest

from hostile.neighbour import beside
from outside.server import Ours
from outside.wire import Imap, Smtp

ENDS = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n",
    b"\r\n.\r\r\n", b"\r\n\x00.\r\n", b"\r\n.\x00\r\n", b"\r\n. \r\n", b"\r\n .\r\n",
    b"\r\n..\r\n", b"\n\n.\r\n", b"\r\n.\n\r\n", b"\x85.\x85", b"\x0b.\x0b", b"\x0c.\x0c", b"\r\n\xff.\r\n",
    b"\r\n.\xff\r\n", b"\xe2\x80\xa8.\xe2\x80\xa8", b"\r\n\t.\r\n", b"\r\n.\t\r\n", b"\r\n.\x1a\r\n", b"\n\r.\n\r",
    b"\r\n.\\r\\n", b"\r\n.\r \n",
]  # fmt: skip


@pytest.mark.rfc(5321, "2.3.8", "4.1.1.4")
@pytest.mark.parametrize("pieces", ["at once", "in pieces"])
@pytest.mark.parametrize("which", ["smtp", "submission"])
def test_only_one_spelling_ends_data(server: Ours, which: str, pieces: str) -> None:
    outer, inner = server.accounts[12], server.accounts[13]
    sender = outer.address if which == "submission" else "a@sender.test"
    word = uuid.uuid4().hex.encode()
    taken = 0
    with beside(server):
        for end in ENDS:
            head, tail = b"From: " + sender.encode() + b"\r\nSubject: outer\r\n\r\nouter", b""
            tail = (
                b"MAIL FROM:<"
                + sender.encode()
                + b">\r\nRCPT TO:<"
                + inner.address.encode()
                + b">\r\nDATA\r\n"
                b"From: " + sender.encode() + b"\r\nSubject: " + word + b"\r\n\r\nsmuggled\r\n.\r\n"
            )
            with Smtp(server, which) as smtp:
                smtp.hello()
                if which == "submission":
                    smtp.login(outer)
                smtp.envelope([outer.address], sender)
                if pieces == "at once":
                    smtp.wire.send(head + end + tail)
                else:
                    smtp.wire.send(head)
                    for octet in end:
                        smtp.wire.send(bytes([octet]))
                    smtp.wire.send(tail)
                code, text = smtp.reply()
                assert code == 250 or code == 550, (end, code, text)
                if b"\r" in end.replace(b"\r\n", b"") or b"\n" in end.replace(b"\r\n", b""):
                    assert (code, text[:6]) == (550, "5.6.11"), (end, code, text)
                taken += code == 250
                smtp.wire.send(
                    b"NOOP\r\n"
                )  # the very next reply is this one's: there was exactly one before
                assert smtp.reply()[1].startswith("2.0.0"), end
                assert smtp.do("QUIT")[0] == 221
        with Imap(server, inner) as imap:
            assert imap.select("INBOX").number("EXISTS") == 0
        with Imap(server, outer) as imap:
            exists = imap.select("INBOX").number("EXISTS")
            assert exists == taken
            if exists:
                for values in imap.fetch("1:*", "BODY.PEEK[]").values():
                    (raw,) = (v for k, v in values.items() if k.startswith(b"BODY["))
                    assert isinstance(raw, bytes)
                    assert b"smuggled" in raw, "the one message has all of it"
                imap.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)")
                imap.ok("EXPUNGE")


@pytest.mark.rfc(5321, "4.1.1.4")
def test_what_follows_the_real_end_is_commands_not_content(server: Ours) -> None:
    account = server.accounts[12]
    with Smtp(server) as smtp:
        smtp.hello()
        smtp.envelope([account.address])
        smtp.wire.send(b"Subject: a\r\n\r\nbody\r\n.\r\nNOOP\r\nVRFY x\r\n")
        assert [smtp.reply()[0] for _ in range(3)] == [250, 250, 252]
    with Imap(server, account) as imap:
        imap.select("INBOX")
        (uid,) = imap.search("SUBJECT a", uid=True)
        (raw,) = (
            v for k, v in imap.fetch(str(uid), "BODY.PEEK[]")[uid].items() if k.startswith(b"BODY[")
        )
        assert isinstance(raw, bytes)
        assert raw.endswith(b"Subject: a\r\n\r\nbody\r\n")
        imap.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)")
        imap.ok("EXPUNGE")


def test_the_real_end_counts_behind_bare_line_ends_too(server: Ours) -> None:
    """The message is refused as a whole; where it ends is not in doubt."""
    with Smtp(server) as smtp:
        smtp.hello()
        for content in (b"x\r\r\n.\r\n", b"x\n\r\n.\r\n", b"x\ry\r\n.\r\n"):
            smtp.envelope([server.accounts[13].address])
            smtp.wire.send(b"Subject: x\r\n\r\n" + content + b"NOOP\r\n")
            assert smtp.reply()[1].startswith("5.6.11"), content
            assert smtp.reply()[1].startswith("2.0.0"), content


@pytest.mark.rfc(5321, "2.3.8")
@pytest.mark.parametrize("feed", [b"\n", b"\r"])
def test_commands_behind_a_bare_line_end_are_not_heard(server: Ours, feed: bytes) -> None:
    with Smtp(server) as smtp:
        smtp.wire.send(b"EHLO a.test" + feed + b"MAIL FROM:<a@b.test>" + feed + b"NOOP\r\n")
        code, _ = smtp.reply()
        assert code == 500 or code == 501
        assert smtp.do("RCPT TO:<alice@example.test>")[0] == 503, "nobody said MAIL"
