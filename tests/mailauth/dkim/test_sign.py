"""What we sign: which fields, how it is written, and that it is always the same."""

import asyncio
import base64
import re

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from mailauth.dkim.examples import FOOTBALL, FOOTBALL_SECRET
from mailauth.dkim.signing import ED25519, KEYS, MESSAGE, RSA, ZONE, signed, split
from mailserver.base.errors import Cannot
from mailserver.mailauth.dkim import keys
from mailserver.mailauth.dkim.record import PublicRecord, read_record
from mailserver.mailauth.dkim.sign import Fields, sign
from mailserver.mailauth.dkim.verify import verify

TEXTS = st.text(st.sampled_from("ab \t\r\n.:;=\xfc"), max_size=40).map(
    lambda text: re.sub(r"\r?\n|\r", "\r\n", text).encode()
)


def names(field: bytes) -> list[bytes]:
    return re.sub(rb"\s", b"", re.search(rb"h=([^;]*);", field)[1]).lower().split(b":")


@pytest.mark.rfc(6376, "5.4", "5.4.1", "5.4.2")
def test_fields_are_named_once_more_than_they_are_there():
    found = names(signed())
    for name in (b"from", b"to", b"subject", b"date", b"message-id"):
        assert found.count(name) == 2, name
    for name in (b"reply-to", b"cc", b"content-type", b"mime-version", b"references"):
        assert found.count(name) == 1, name
    for name in (b"list-id", b"sender", b"resent-from", b"received", b"return-path"):
        assert name not in found
    more = names(signed(b"List-Id: x\r\nResent-From: a@b\r\nReceived: x\r\n" + MESSAGE))
    assert (more.count(b"list-id"), more.count(b"resent-from")) == (2, 1)
    assert b"received" not in more


@pytest.mark.rfc(6376, "5.4")
def test_from_is_signed_whatever_is_wanted():
    message = signed(fields=Fields(always=("X-Only",), present=(), as_is=()))
    assert names(message) == [b"from", b"x-only", b"from"]
    assert asyncio.run(verify(*_parts(message), ZONE, now=1_000))[0].result == "pass"


def _parts(message):
    header, body = split(message)
    return header, [body]


@pytest.mark.rfc(6376, "3.5", "5.6")
@pytest.mark.rfc(5322, "2.1.1")
def test_how_it_is_written():
    fields = signed(key_list=KEYS)[: -len(MESSAGE)]
    assert fields.count(b"DKIM-Signature:") == 2
    assert max(map(len, fields.split(b"\r\n"))) <= 78
    assert fields.endswith(b"\r\n")
    assert all(re.match(rb"DKIM-Signature:|[ \t]+[^ \t]", li) for li in fields.split(b"\r\n")[:-1])
    assert b"l=" not in re.sub(rb"bh?=[^;]*", b"", fields)


@pytest.mark.rfc(8463, "6")
def test_the_same_message_has_the_same_signatures():
    assert signed(key_list=KEYS) == signed(key_list=KEYS)
    assert signed(key_list=KEYS) != signed(key_list=KEYS, now=1_001)
    assert signed(key_list=()) == MESSAGE


def test_signatures_may_expire():
    message = signed(lifetime_s=500)
    for now, result in ((1_500, "pass"), (1_501, "policy")):
        assert asyncio.run(verify(*_parts(message), ZONE, now=now))[0].result == result


@pytest.mark.rfc(8463, "A.1", "3")
def test_the_key_of_the_example_signs_what_is_verified():
    private = ed25519.Ed25519PrivateKey.from_private_bytes(base64.b64decode(FOOTBALL_SECRET))
    key = keys.SigningKey("football.example.com", "brisbane", private)
    assert keys.record_text(private) == (
        "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    )
    message = FOOTBALL[FOOTBALL.index(b"From:") :]
    header, body = split(message)
    assert b"bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=" in sign(header, [body], [key], now=1)


@given(TEXTS, TEXTS, TEXTS)
def test_any_message_that_we_sign_is_verified(subject, other, body):
    """Blanks, folds, empty lines, octets above 127: whatever stands in a field or in the body."""
    header = b"From: a@example.org\r\nSubject:%b\r\nX:%b\r\n" % tuple(
        re.sub(rb"\r\n(?![ \t])", b"\r\n ", text) for text in (subject, other)
    )
    made = sign(header, [body[:7], body[7:]], [ED25519], now=1_000)
    (result,) = asyncio.run(verify(made + header, [body], ZONE, now=1_000))
    assert result.result == "pass"


def test_the_body_may_come_in_pieces():
    header, body = split(MESSAGE)
    pieces = (body[n : n + 1] for n in range(len(body)))
    assert sign(header, pieces, [RSA], now=1_000) + MESSAGE == signed()


@pytest.mark.parametrize(
    "header",
    [b"Subject: x\r\n", b"", b"From: a@example.org\r\nno field\r\n", b"From: a@b\nTo: c@d\r\n"],
)
def test_what_cannot_be_signed(header):
    with pytest.raises(Cannot):
        sign(header, [], [ED25519], now=1)


@pytest.mark.parametrize(
    ("domain", "selector"),
    [
        ("example.org\r\nBcc: x", "s"),
        ("example.org", "s; d=x"),
        ("bücher.example", "s"),
        ("example.org", ""),
        ("", "s"),
        ("x" * 250, "s"),
    ],
)
def test_names_that_no_key_has(domain, selector):
    with pytest.raises(Cannot):
        keys.SigningKey(domain, selector, ED25519.private)


@pytest.mark.rfc(6376, "3.6.1")
@pytest.mark.rfc(8301, "3.2")
@pytest.mark.rfc(8463, "4.2")
@pytest.mark.parametrize("kind", ["rsa-2048", "rsa-4096", "ed25519"])
def test_keys_are_kept_and_published(kind):
    private = keys.generate(kind)
    again = keys.from_pem(keys.to_pem(private))
    assert keys.record_text(again) == keys.record_text(private)
    public = read_record(keys.record_text(private).encode())
    assert isinstance(public, PublicRecord)
    assert public.bits == {"rsa-2048": 2_048, "rsa-4096": 4_096, "ed25519": 256}[kind]
    assert type(again) is type(private)


def test_keys_of_other_programs():
    private = rsa.generate_private_key(65_537, 1_024)
    pkcs1 = private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    assert keys.record_text(keys.from_pem(pkcs1)) == keys.record_text(private)


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"garbage",
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ),
        ED25519.private.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
        ),
    ],
    ids=["empty", "garbage", "another kind", "with a password"],
)
def test_what_is_no_key(pem):
    with pytest.raises(Cannot):
        keys.from_pem(pem)
