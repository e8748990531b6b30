"""Messages made to break parsers: taken whole, described in bounds, given back octet by octet."""

import time
from collections.abc import Callable

import pytest

from hostile.neighbour import beside
from outside.server import Ours
from outside.wire import Imap, Smtp, dotted

HEAD = b"From: a@example.org\r\nSubject: bomb\r\nMIME-Version: 1.0\r\n"


def nested(depth: int) -> bytes:
    opening = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(depth)
    )
    return (
        HEAD
        + opening
        + b"\r\nhello\r\n"
        + b"".join(b"--b%d--\r\n" % n for n in reversed(range(depth)))
    )


def parts(count: int, kind: bytes = b"text/plain") -> bytes:
    part = b"--x\r\nContent-Type: " + kind + b"\r\n\r\nhello\r\n"
    return HEAD + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + part * count + b"--x--\r\n"


BOMBS: dict[str, bytes] = {
    "10,000 nested multiparts": nested(10_000),
    "10,000 nested multiparts, none closed": nested(10_000).partition(b"hello")[0],
    "10,000 multiparts of one boundary": HEAD
    + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" * 10_000,
    "10,000 nested messages": HEAD
    + b"Content-Type: message/rfc822\r\n\r\n" * 10_000
    + b"hello\r\n",
    "50,000 parts": parts(50_000),
    "50,000 empty parts": HEAD
    + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    + b"--x\r\n\r\n" * 50_000,
    "20,000 embedded messages": parts(20_000, b"message/rfc822"),
    "20,000 parameters": HEAD
    + b"Content-Type: text/plain"
    + b"; a=b" * 20_000
    + b"\r\n\r\nhello\r\n",
    "20,000 parameter pieces": HEAD
    + b"Content-Type: text/plain"
    + b"".join(b"; name*%d=x" % n for n in range(20_000))
    + b"\r\n\r\nhello\r\n",
    "100,000 addresses": HEAD + b"To: " + b"a@b.org, " * 100_000 + b"c@d.org\r\n\r\nhello\r\n",
    "100,000 groups": HEAD + b"To: " + b"g:a@b;, " * 100_000 + b"\r\n\r\nhello\r\n",
    "500,000 parentheses": HEAD + b"To: " + b"(" * 500_000 + b"\r\n\r\nhello\r\n",
    "500,000 quotes": HEAD + b'To: "' + b'\\"' * 500_000 + b"\r\n\r\nhello\r\n",
    "500,000 angle brackets": HEAD + b"To: " + b"<" * 500_000 + b"\r\n\r\nhello\r\n",
    "100,000 encoded words": HEAD
    + b"Subject: "
    + b"=?utf-8?q?a?= " * 100_000
    + b"\r\n\r\nhello\r\n",
    "half encoded words": HEAD + b"Subject: " + b"=?utf-8?q?" * 100_000 + b"\r\n\r\nhello\r\n",
    "1,000,000 header lines": HEAD + b"X: y\r\n" * 1_000_000 + b"\r\nhello\r\n",
    "1,000,000 continuation lines": HEAD + b"X: y\r\n" + b" z\r\n" * 1_000_000 + b"\r\nhello\r\n",
    "1,000,000 references": HEAD + b"References: " + b"<a@b> " * 1_000_000 + b"\r\n\r\nhello\r\n",
    "a header line of 8 MB": HEAD + b"X: " + b"y" * 8_000_000 + b"\r\n\r\nhello\r\n",
    "a boundary of 100 kB": HEAD
    + b"Content-Type: multipart/mixed; boundary="
    + b"b" * 100_000
    + b"\r\n\r\n"
    + (b"--" + b"b" * 99_999 + b"\r\n") * 20
    + b"--"
    + b"b" * 100_000
    + b"--\r\n",
    "delimiters that are none": HEAD
    + b"Content-Type: multipart/mixed; boundary=xx\r\n\r\n"
    + b"--x\r\n" * 500_000
    + b"--xx--\r\n",
    "spaces": HEAD
    + b"To:"
    + b" " * 1_000_000
    + b"\r\nSubject:"
    + b"\t" * 1_000_000
    + b"\r\n\r\n"
    + b" " * 1_000_000,
    "Re: Re: Re:": HEAD + b"Subject: " + b"Re: " * 200_000 + b"\r\n\r\nhello\r\n",
    "Fwd: [a] (fwd)": HEAD
    + b"Subject: "
    + b"[a]" * 100_000
    + b"(fwd)" * 100_000
    + b"\r\n\r\nhello\r\n",
    "base64 of nothing": HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n" + b"=\r\n" * 1_000_000,
    "quoted-printable of nothing": HEAD
    + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    + b"=\r\n" * 1_000_000,
    "charset that shifts": HEAD
    + b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n"
    + b"\x1b$B" * 500_000
    + b"\r\n",
    "utf-7": HEAD
    + b"Content-Type: text/plain; charset=utf-7\r\n\r\n"
    + b"+AAA-" * 300_000
    + b"\r\n",
}


ITEMS = "(RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE BODY.PEEK[1.1.1] BODY.PEEK[1] BODY.PEEK[HEADER] BODY.PEEK[TEXT])"
SLOWEST_S = 15.0  #: from APPEND to EXPUNGE, on a busy machine


@pytest.mark.rfc(2046, "5.1")
@pytest.mark.parametrize("raw", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb(server: Ours, raw: bytes) -> None:
    """Appended, looked at from all sides, searched, fetched unchanged, removed."""
    with beside(server), Imap(server, server.accounts[9], timeout_s=60) as imap:
        started = time.monotonic()
        said = imap.append("INBOX", raw)
        assert said is not None
        imap.select("INBOX")
        told = imap.fetch(str(said[1]), ITEMS)[said[1]]
        assert told[b"RFC822.SIZE"] == b"%d" % len(raw)
        imap.search("BODY hello SUBJECT bomb FROM example", uid=True)
        imap.search('TEXT "no such text anywhere"', uid=True)
        assert imap.fetch(str(said[1]), "(BODY.PEEK[])")[said[1]][b"BODY[]"] == raw
        empty(imap)
        assert time.monotonic() - started < SLOWEST_S


def test_bombs_by_smtp(server: Ours, full: Callable[[int, int], int]) -> None:
    """The way in that needs no account: taken and described, or refused for good; all of 6 MB and more when `full`."""
    account = server.accounts[10]
    bombs = {name: raw for name, raw in BOMBS.items() if len(raw) <= full(2_000_000, 50_000_000)}
    bombs["NUL"] = HEAD + b"\r\na\0b\0\r\n" + b"\0" * 100_000 + b"\r\n"
    bombs["NUL in the header"] = HEAD + b"X\0: \0\r\nTo: a\0@b\0\r\n\r\nhello\r\n"
    with beside(server), Imap(server, account, timeout_s=60) as imap:
        for name, raw in bombs.items():
            with Smtp(server, timeout_s=60) as smtp:
                smtp.hello()
                smtp.envelope([account.address])
                code, text = smtp.do(dotted(raw))
            assert code == 250 or code >= 500, (name, text)
            exists = imap.select("INBOX").number("EXISTS")
            assert exists == (code == 250), name
            if exists:
                (told,) = imap.fetch("1", ITEMS, uid=False).values()
                assert bytes(told[b"BODY[HEADER]"]).startswith(b"Return-Path:"), name  # type: ignore[arg-type]
                (stored,) = imap.fetch("1", "(BODY.PEEK[])", uid=False).values()
                assert bytes(stored[b"BODY[]"]).endswith(raw), name  # type: ignore[arg-type]
                empty(imap)


@pytest.mark.rfc(3501, "9")
def test_nul_is_not_appended(server: Ours) -> None:
    with Imap(server, server.accounts[9]) as imap:
        for raw in (HEAD + b"\r\na\0b\r\n", b"\0", HEAD + b"X: \0\r\n\r\n"):
            assert imap.do("APPEND INBOX ", raw, "").status == b"NO"
        assert imap.select("INBOX").number("EXISTS") == 0


def empty(imap: Imap) -> None:
    """Remove every message of the selected mailbox."""
    imap.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)")
    imap.ok("EXPUNGE")
