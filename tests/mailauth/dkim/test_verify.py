"""Signatures verified: the RFCs' examples, every refusal with its reason, and what a hostile message may cost."""

import asyncio

import pytest

from mailauth.dkim.signing import KEYS, ZONE, signed
from mailauth.zone import Zone
from mailserver.mailauth.dkim.verify import verify

FOOTBALL = b"""\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
""".replace(b"\n", b"\r\n")

FOOTBALL_KEYS = """
brisbane._domainkey.football.example.com TXT \
 "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
test._domainkey.football.example.com TXT \
 "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR" \
 "iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC" \
 "DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3" \
 "Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
"""


def check(message, zone=ZONE, now=2_000, **rest):
    header, _, body = message.partition(b"\r\n\r\n")
    return asyncio.run(verify(header + b"\r\n", [body], zone, now=now, **rest))


@pytest.mark.rfc(8463, "A", "3")
def test_the_examples_of_ed25519():
    """RFC 8463 appendix A: two signatures of one message."""
    zone = Zone(FOOTBALL_KEYS)
    ed25519, rsa = check(FOOTBALL, zone, now=1_528_637_909)
    assert (ed25519.result, ed25519.algorithm, ed25519.bits) == ("pass", "ed25519-sha256", 256)
    assert (rsa.result, rsa.algorithm, rsa.bits) == ("pass", "rsa-sha256", 1_024)
    assert rsa.identity == "@football.example.com"
    assert [r.tag_b[:8] for r in (ed25519, rsa)] == ["/gCrinpc", "F45dVWDf"]
    changed = FOOTBALL.replace(b"We lost", b"We won")
    assert [r.result for r in check(changed, zone, now=1_528_637_909)] == ["fail", "fail"]
    forged = FOOTBALL.replace(b"Joe SixPack", b"Joe Sixpack")
    assert [r.result for r in check(forged, zone, now=1_528_637_909)] == ["fail", "fail"]


@pytest.mark.rfc(6376, "3.7")
def test_what_we_sign_we_verify():
    results = check(signed(key_list=KEYS))
    assert [(r.result, r.domain, r.selector) for r in results] == [
        ("pass", "example.org", "rsa"),
        ("pass", "example.org", "ed"),
    ]
    assert check(b"From: a@example.org\r\n\r\n") == ()
