"""The first words of a message (RFC 8970 §3.1, §3.3)."""

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mime.layout import unpack
from mailserver.mime.preview import SIZE, preview
from mailserver.mime.scan import derive

HEAD = b"Content-Type: text/html; charset=utf-8\r\n\r\n"


def of(raw: bytes) -> str:
    return preview(raw, unpack(derive(raw).layout))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"Subject: x\r\n\r\nHello  Bob,\r\n\r\nhow are\tyou?\r\n", "Hello Bob, how are you?"),
        (b"Subject: x\r\n\r\n> you wrote\r\n> this\r\nYes.\r\n-- \r\nAnn\r\n", "Yes."),
        (b"Subject: x\r\n\r\n> only this\r\n", "> only this"),
        (b"Subject: x\r\n\r\n===========\r\nNews\r\n-----------\r\nof today", "News of today"),
        (b"Subject: x\r\n\r\n", ""),
        (b"\r\n", ""),
        (
            b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + base64.b64encode("Grüße, Jürgen".encode()),
            "Grüße, Jürgen",
        ),
        (
            HEAD
            + b"<html><HEAD><title>no</title><style>p {a: b}</style></HEAD><body><!-- no <p> -->"
            b"<p>T<b>w</b>o &amp; <br>three</p><script>if (a<b) x()</script >four</body></html>",
            "Two & three four",
        ),
        (HEAD + b"<p>never <style>p { closed", "never"),
        (HEAD + b"a < b and c<d e", "a < b and c"),
        (HEAD + "Sale!\u200c\u00a0\u034f\u200c &zwnj;&#847; now".encode(), "Sale! now"),
        (
            b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n"
            + HEAD
            + b"<p>html\r\n"
            b"--b\r\n\r\nplain\r\n--b--\r\n",
            "plain",
        ),
        (
            b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\n \r\n--b\r\n"
            + HEAD
            + b"<p>html\r\n--b--\r\n",
            "html",
        ),
        (
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Disposition: attachment\r\n"
            b"\r\nattached\r\n--b\r\nContent-Type: image/png\r\n\r\nxx\r\n--b\r\n\r\nhere\r\n--b--\r\n",
            "here",
        ),
        (
            b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nforwarded\r\n",
            "forwarded",
        ),
        (
            b"Content-Type: multipart/encrypted; boundary=b\r\n\r\n--b\r\n\r\nVersion: 1\r\n--b--\r\n",
            "",
        ),
        (b"Content-Type: application/pdf\r\n\r\n%PDF", ""),
    ],
)
@pytest.mark.rfc(8970, "3.3")
def test_preview(raw: bytes, words: str) -> None:
    assert of(raw) == words


@given(st.binary(max_size=500), st.sampled_from([b"plain", b"html", b"plain; charset=utf-7"]))
@pytest.mark.rfc(8970, "3.3")
def test_of_anything(body: bytes, kind: bytes) -> None:
    """One line of characters that can be sent."""
    words = of(b"Content-Type: text/%b\r\n\r\n%b" % (kind, body))
    assert len(words) <= SIZE
    assert len(words.splitlines()) <= 1
    words.encode()


@pytest.mark.parametrize(
    "piece", [b"<", b"<style>", b"<!--", b"<p", b"&", b"<a b='", b"-", b"> \n", b"<script></"]
)
def test_takes_no_time(piece: bytes) -> None:
    raw = HEAD + piece * (1_000_000 // len(piece))
    root = unpack(derive(raw).layout)
    began = time.process_time()
    preview(raw, root)
    preview(raw, root._replace(subtype="plain"))
    assert time.process_time() - began < 3
