"""Signatures verified: the examples of the RFCs, and every refusal with its reason."""

import asyncio
import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mailauth.dkim.examples import FOOTBALL, FOOTBALL_KEYS, LUNCH, LUNCH_KEY
from mailauth.dkim.signing import (
    ED25519,
    KEYS,
    MESSAGE,
    RSA,
    ZONE,
    record,
    signed,
    split,
    with_signature,
)
from mailauth.zone import Zone
from mailserver.base.limits import DkimLimits
from mailserver.mailauth.dkim.keys import SigningKey, record_text
from mailserver.mailauth.dkim.message import Message
from mailserver.mailauth.dkim.record import PublicRecord, read_record
from mailserver.mailauth.dkim.verify import Verification, verify

BASE = "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.org; s=ed; h=from:subject;"


def check(message, zone=ZONE, now=2_000, **rest):
    header, body = split(message)
    return asyncio.run(verify(header, [body], zone, now=now, **rest))


def one(message, zone=ZONE, now=2_000, **rest):
    (result,) = check(message, zone, now, **rest)
    return result


def marks(message):
    return Verification(Message(split(message)[0]), now=2_000).marks


@pytest.mark.rfc(8463, "A", "3", "4.2")
def test_the_examples_of_ed25519():
    """RFC 8463 appendix A: two signatures of one message."""
    zone, now = Zone(FOOTBALL_KEYS), 1_528_637_909
    ed25519, rsa_1024 = check(FOOTBALL, zone, now)
    assert (ed25519.result, ed25519.algorithm, ed25519.bits) == ("pass", "ed25519-sha256", 256)
    assert (rsa_1024.result, rsa_1024.algorithm, rsa_1024.bits) == ("pass", "rsa-sha256", 1_024)
    assert rsa_1024.identity == "@football.example.com"
    assert [mark[:8] for mark in marks(FOOTBALL)] == ["/gCrinpc", "F45dVWDf"]
    changed = FOOTBALL.replace(b"We lost", b"We won")
    assert [r.result for r in check(changed, zone, now)] == ["fail", "fail"]
    forged = FOOTBALL.replace(b"Joe SixPack", b"Joe Sixpack")
    assert [r.result for r in check(forged, zone, now)] == ["fail", "fail"]


@pytest.mark.rfc(6376, "A.2", "3.4.1", "3.4.3")
def test_the_example_of_dkim():
    """Simple canonicalization: one blank more, and it is another message."""
    zone = Zone(LUNCH_KEY)
    assert one(LUNCH, zone).result == "pass"
    assert one(LUNCH, zone).identity == "joe@football.example.com"
    more = LUNCH.replace(b"game. Are", b"game.  Are")
    assert one(more, zone).reason == "the body is not what was signed"
    assert one(LUNCH.replace(b"To: Suzie", b"To:  Suzie"), zone).result == "fail"


@pytest.mark.rfc(6376, "3.7")
def test_what_we_sign_we_verify():
    results = check(signed(key_list=KEYS))
    assert [(r.result, r.domain, r.selector) for r in results] == [
        ("pass", "example.org", "rsa"),
        ("pass", "example.org", "ed"),
    ]
    assert check(b"From: a@example.org\r\n\r\n") == ()


@pytest.mark.rfc(6376, "3.4", "3.5")
@pytest.mark.parametrize("header", ["simple", "relaxed"])
@pytest.mark.parametrize("body", ["simple", "relaxed"])
def test_all_canonicalizations(header, body):
    tags = BASE.replace("relaxed/relaxed", f"{header}/{body}")
    message = with_signature(tags, form=(header, body))
    assert one(message).result == "pass"
    spaced = message.replace(b"Subject: Lunch", b"SUBJECT:   Lunch")
    assert one(spaced).result == ("pass" if header == "relaxed" else "fail")
    padded = message.replace(b"see you.\t", b"see you. \t ") + b"\r\n\r\n"
    assert one(padded).result == ("pass" if body == "relaxed" else "fail")
    assert one(message + b"\r\n\r\n").result == "pass"


@pytest.mark.rfc(6376, "3.5")
def test_defaults():
    """c= is simple/simple, "relaxed" alone is relaxed/simple, i= is @d."""
    plain = with_signature(BASE.replace("c=relaxed/relaxed; ", ""), form=("simple", "simple"))
    assert one(plain).result == "pass"
    assert one(plain).identity == "@example.org"
    half = with_signature(BASE.replace("relaxed/relaxed", "relaxed"), form=("relaxed", "simple"))
    assert one(half).result == "pass"


@pytest.mark.rfc(6376, "3.2", "3.5", "6.1.1")
@pytest.mark.rfc(8301, "3.1")
@pytest.mark.parametrize(
    ("old", "new", "result", "reason"),
    [
        ("v=1;", "v=2;", "permerror", "the signature is of another version"),
        ("v=1;", "", "permerror", "the signature has no v="),
        ("a=ed25519-sha256;", "", "permerror", "the signature has no a="),
        ("a=ed25519-sha256", "a=rsa-sha1", "policy", "rsa-sha1 proves nothing any more"),
        ("a=ed25519-sha256", "a=rsa-md5", "neutral", "the signature's algorithm is unknown here"),
        ("a=ed25519-sha256", "a=rsa-sha256", "permerror", "of another kind than the signature"),
        ("d=example.org;", "", "permerror", "the signature has no d="),
        ("d=example.org", "d=org", "neutral", "d= is no domain's name"),
        ("d=example.org", "d=exa mple.org", "neutral", "d= is no domain's name"),
        ("d=example.org", "d=example..org", "neutral", "d= is no domain's name"),
        ("d=example.org", "d=example.org.", "neutral", "d= is no domain's name"),
        ("s=ed;", "", "permerror", "the signature has no s="),
        ("s=ed", "s=*", "neutral", "s= is no selector"),
        ("s=ed", "s=" + "x." * 124 + "x", "neutral", "s= is no selector"),
        ("s=ed", "s=gone", "permerror", "there is no key at gone._domainkey.example.org"),
        ("h=from:subject;", "", "permerror", "the signature has no h="),
        ("h=from:subject", "h=", "permerror", "the signature has no h="),
        ("h=from:subject", "h=subject", "permerror", "the signature does not cover From"),
        ("h=from:subject", "h=from:sub ject", "neutral", "something that is no field's name"),
        ("h=from:subject", "h=from" + ":to" * 1_000, "policy", "names more than 1000 fields"),
        ("c=relaxed/relaxed", "c=relaxed/nofws", "neutral", "canonicalization is unknown here"),
        ("c=relaxed/relaxed", "c=", "neutral", "canonicalization is unknown here"),
        ("v=1;", "v=1; q=http;", "neutral", "the signature's key is not in the DNS"),
        ("v=1;", "v=1; t=soon;", "neutral", "t= is no time"),
        ("v=1;", "v=1; t=1234567890123;", "neutral", "t= is no time"),
        ("v=1;", "v=1; t=1000; x=1000;", "neutral", "expires before it was made"),
        ("v=1;", "v=1; x=1999;", "policy", "the signature has expired"),
        ("v=1;", "v=1; t=2301;", "policy", "the signature was made in the future"),
        ("v=1;", "v=1; l=-1;", "neutral", "l= is no number of octets"),
        ("v=1;", "v=1; l=" + "9" * 77 + ";", "neutral", "l= is no number of octets"),
        ("v=1;", "v=1; l=" + "9" * 76 + ";", "fail", "covers more than the body has"),
        ("v=1;", "v=1; i=bob;", "neutral", "i= is no address"),
        ("v=1;", "v=1; i=;", "neutral", "i= is no address"),
        ("v=1;", "v=1; i=@example.com;", "permerror", "i= is not below d="),
        ("v=1;", "v=1; i=@badexample.org;", "permerror", "i= is not below d="),
        ("v=1;", "v=1; i=a=0D=0AB:@example.org;", "neutral", "i= is no address"),
        ("d=example.org", "d=" + "ü" * 600 + ".org", "neutral", "d= is no domain's name"),
        ("v=1;", "v=1; i==zz@example.org;", "neutral", "not quoted-printable"),
        ("v=1;", "v=1; v=1;", "neutral", "the tag v= is there twice"),
        ("v=1;", "v=1; nonsense;", "neutral", "something in a tag list is no tag=value"),
        ("v=1;", "v=1;;", "neutral", "something in a tag list is no tag=value"),
        ("v=1;", "v=1; z=\x01;", "neutral", "control characters"),
        ("v=1;", "v=1; z=" + "z" * 32_768 + ";", "policy", "the signature field is too large"),
    ],
)
def test_what_a_signature_may_not_say(old, new, result, reason):
    assert old in BASE
    found = one(with_signature(BASE.replace(old, new, 1)))
    assert found.result == result
    assert reason in found.reason


@pytest.mark.rfc(6376, "3.5", "3.2")
@pytest.mark.parametrize(
    "tags",
    [
        "v=1; t=2300; x=2301;",  # clocks differ
        "v=1; x=999999999999;",
        "v=1; q=http/x : dns/txt;",
        "v=1; q=DNS/TXT;",
        "v=1; unknown=tag; z=From:a|b;",
        "v=1; i=bob=40home@sub.example.org;",
        "v = 1 ;\r\n\t",
        "v=1; A=;",
    ],
)
def test_what_a_signature_may_say(tags):
    assert one(with_signature(BASE.replace("v=1;", tags))).result == "pass"


@pytest.mark.rfc(6376, "3.5", "3.4.2")
def test_white_space_and_case_in_the_lists():
    tags = BASE.replace("from:subject", "FROM :\r\n\t subject").replace("relaxed/", "Relaxed/")
    assert one(with_signature(tags.replace("ed25519-sha256", "Ed25519-SHA256"))).result == "pass"


@pytest.mark.rfc(6376, "3.5", "8.2")
def test_a_body_that_is_signed_in_part():
    message = with_signature(BASE + " l=12;", length=12)
    result = one(message)
    assert (result.result, result.covers_all) == ("policy", False)
    assert result.reason == "the last 12 octets of the body are not signed"
    whole = with_signature(BASE + " l=24;", length=24)
    assert (one(whole).result, one(whole).covers_all) == ("pass", True)
    assert one(whole + b"\r\n \r\n").result == "pass"  # ignored at the end
    appended = one(whole + b"<p>Buy!")
    assert (appended.result, appended.covers_all) == ("policy", False)
    none = with_signature(BASE + " l=0;", length=0)
    assert (one(none).result, one(none).covers_all) == ("policy", False)


@pytest.mark.rfc(6376, "5.4", "5.4.2", "8.15")
@pytest.mark.parametrize(
    ("line", "result"),
    [
        (b"From: eve@example.com", "permerror"),
        (b"Subject: Buy!", "policy"),
        (b"X-Note: anything", "pass"),
        (b"To: others", "pass"),  # nobody signed any To
    ],
)
def test_fields_that_somebody_adds(line, result):
    assert one(line + b"\r\n" + with_signature(BASE)).result == result


def test_a_message_without_from():
    message = MESSAGE.replace(b"From: Alice", b"X-From: Alice")
    assert one(with_signature(BASE, message)).reason == "the message has not exactly one From"


@pytest.mark.rfc(6376, "5.4")
@pytest.mark.parametrize("field", ["Reply-To", "Cc", "Content-Type", "In-Reply-To", "Subject"])
def test_nobody_adds_a_field_to_what_we_sign(field):
    message = signed()
    assert one(message).result == "pass"
    assert one(f"{field}: more\r\n".encode() + message).result in {"fail", "policy"}


@pytest.mark.rfc(6376, "3.8")
@pytest.mark.parametrize(
    "header",
    [
        b"From: a@example.org\nSubject: two in one",
        b"From: a@example.org\rSubject: two in one",
        b"From: a@example.org\r\nno field at all",
        b" begins with a blank\r\nFrom: a@example.org",
        b"From a@example.org Sun Nov 22\r\nFrom: a@example.org",
        b": no name\r\nFrom: a@example.org",
        b"Fr\xc3\xb6m: x\r\nFrom: a@example.org",
    ],
)
def test_a_header_that_can_be_cut_in_two_ways(header):
    result = one(header + b"\r\n" + with_signature(BASE))
    assert (result.result, result.domain) == ("permerror", "")
    assert result.reason == "the header has lines that belong to no field"


@pytest.mark.rfc(6376, "3.6.1", "6.1.2")
@pytest.mark.parametrize(
    ("text", "result", "reason"),
    [
        ("v=DKIM1; k=ed25519; p=", "permerror", "the key is revoked"),
        ("v=DKIM1; k=ed25519", "permerror", "the key record has no key"),
        ("v=DKIM2; {}", "permerror", "the record is none of DKIM1"),
        ("k=ed25519; v=DKIM1; {p}", "permerror", "the record is none of DKIM1"),
        ("v=DKIM1; k=x25519; {p}", "permerror", "of a kind that nobody here knows"),
        ("v=DKIM1; k=rsa; {p}", "permerror", "the key in the record is no RSA key"),
        ("v=DKIM1; k=ed25519; p=AAAA", "permerror", "an Ed25519 key has 32 octets"),
        ("v=DKIM1; k=ed25519; p=*", "permerror", "a value is not base64"),
        ("v=DKIM1; h=sha1; {}", "permerror", "the key is not for use with SHA-256"),
        ("v=DKIM1; s=tlsrpt; {}", "permerror", "the key is not for mail"),
        ("v=DKIM1; s=other; {}", "permerror", "the key is not for mail"),
        ("v=DKIM1; s=tlsrpt:email; {}", "pass", ""),
        ("v=DKIM1; p=; p=; {}", "permerror", "the tag p= is there twice"),
        ("v=spf1 -all", "permerror", "the record is none of DKIM1"),
        ("spf1 -all", "permerror", "the key record cannot be read"),
        ("", "permerror", "the key record cannot be read"),
        ("v=DKIM1; {}; n=" + "x" * 8_192, "permerror", "the key record is too large"),
        ("v=DKIM1; {}", "pass", ""),
        ("{}", "pass", ""),
        ("v=DKIM1; h=sha1 : sha256; s=other:email; {}", "pass", ""),
        ("v=DKIM1; s=*; t=y:x; n=hello; g=; {};", "pass", ""),
        ("v=DKIM1; {spaced}", "pass", ""),
    ],
)
def test_key_records(text, result, reason):
    public = record_text(ED25519.private).partition("p=")[2]
    parts = {"p": f"p={public}", "spaced": f"k=ed25519; p={public[:9]} \t{public[9:]}"}
    zone = Zone(record(ED25519, text.format(f"k=ed25519; p={public}", **parts) or " "))
    found = one(with_signature(BASE), zone)
    assert found.result == result
    assert reason in found.reason


@pytest.mark.rfc(6376, "3.6.2.2", "6.1.2")
def test_several_records_of_one_name():
    zone = Zone(record(ED25519, "v=spf1 -all") + "\n" + record(ED25519))
    assert one(with_signature(BASE), zone).result == "pass"


@pytest.mark.rfc(6376, "3.6.1", "3.10")
def test_flags_of_a_key():
    """t=y is told, t=s wants the very domain in i=."""
    text = record_text(ED25519.private)
    testing = Zone(record(ED25519, f"{text}; t=y"))
    assert one(with_signature(BASE), testing).is_testing
    assert not one(with_signature(BASE)).is_testing
    exact = Zone(record(ED25519, f"{text}; t=s"))
    assert one(with_signature(BASE), exact).result == "pass"
    assert one(with_signature(BASE + " i=a@example.org;"), exact).result == "pass"
    below = with_signature(BASE + " i=a@sub.example.org;")
    assert one(below).result == "pass"
    assert one(below, exact).reason.startswith("i= is below d=")


@pytest.mark.rfc(6376, "6.1.2")
def test_trouble_with_the_dns_is_temporary():
    for word in ("TROUBLE", "BOGUS"):
        result = one(with_signature(BASE), Zone(f"ed._domainkey.example.org {word}"))
        assert (result.result, result.domain) == ("temperror", "example.org")


@pytest.mark.rfc(8301, "3.2")
@pytest.mark.parametrize(
    ("bits", "result"), [(768, "policy"), (1_024, "pass"), (3_072, "pass"), (4_096, "policy")]
)
def test_sizes_of_rsa_keys(bits, result):
    """Below 1024 bits nothing is proved; above the limit, here 3072, nothing is computed."""
    private = rsa.generate_private_key(65_537, max(bits, 1_024))
    key = SigningKey("example.org", "any", private)
    zone = Zone(record(key))
    if bits < 1_024:  # the library makes none any more; this is one
        zone = Zone(record(key, f"v=DKIM1; p={SMALL}"))
    limits = DkimLimits(most_rsa_bits=3_072)
    tags = BASE.replace("ed25519", "rsa").replace("s=ed", "s=any")
    found = one(with_signature(tags, key=key), zone, limits=limits)
    assert found.result == result, found


#: 768 bits
SMALL = (
    "MHwwDQYJKoZIhvcNAQEBBQADawAwaAJhAN+DcauqAmGf4FfoU4mZ6EFIJBJgctlfw19usYgK/lqwG3Rquj6R"
    "2vU/AfBq8tZT2/rXFk3IFo7bZwWXAeU3OwNf3WZ+r0CZ5EBpb5tQxLIkK6TMOgMVeRrD+D0jvP3sfwIDAQAB"
)


@pytest.mark.rfc(6376, "8.4")
@pytest.mark.parametrize(("bits", "reason"), [(64, ""), (65, "too large"), (2_000, "too large")])
def test_exponents_that_cost_more_than_they_prove(bits, reason):
    numbers = rsa.RSAPublicNumbers((1 << bits - 1) + 1, (1 << 2_047) + 1)
    der = numbers.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    found = read_record(b"k=rsa; p=" + base64.b64encode(der))
    assert reason in getattr(found, "reason", "")
    assert isinstance(found, PublicRecord) is not bool(reason)


@pytest.mark.rfc(8616, "5")
def test_internationalized_signatures():
    """U-labels and UTF-8 in d=, s= and i= (RFC 8616 §5); what is hashed is what is written."""
    key = SigningKey("xn--bcher-kva.example", "xn--grn-ioa", ED25519.private)
    tags = (
        "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=bücher.example; s=grün;"
        " i=jürgen@bücher.example; h=from:subject;"
    )
    result = one(with_signature(tags), Zone(record(key)))
    assert (result.result, result.domain) == ("pass", "xn--bcher-kva.example")
    assert (result.selector, result.identity) == ("xn--grn-ioa", "jürgen@xn--bcher-kva.example")
    a_labels = tags.replace("bücher", "xn--bcher-kva").replace("grün", "xn--grn-ioa")
    assert one(with_signature(a_labels), Zone(record(key))).result == "pass"
    broken = with_signature(BASE).replace(b"v=1;", b"v=1; z=\xff;")
    assert one(broken).reason == "a tag list is neither ASCII nor UTF-8"


@pytest.mark.rfc(6376, "3.5")
def test_what_is_known_of_a_bad_signature_is_told():
    result = one(with_signature(BASE.replace("h=from:subject", "h=subject")))
    assert (result.domain, result.selector, result.algorithm) == (
        "example.org",
        "ed",
        "ed25519-sha256",
    )
    (mark,) = marks(with_signature(BASE))
    assert len(mark) == 88  # all of it: who shows it cuts it (RFC 6008 §4)
    nonsense = b"DKIM-Signature: garbage\r\n" + MESSAGE
    garbage = one(nonsense)
    assert (garbage.result, garbage.domain, marks(nonsense)) == ("neutral", "", ("",))


@pytest.mark.rfc(6008, "4")
@pytest.mark.parametrize(
    "text",
    [
        MESSAGE,
        with_signature(BASE, with_signature(BASE)),
        b"DKIM-Signature: a=b\r\n" * 30 + MESSAGE,
        b"no field\r\n" + with_signature(BASE),
    ],
)
def test_there_is_a_mark_for_each_result(text):
    assert len(marks(text)) == len(check(text))


def test_what_is_told_of_a_signature_is_fit_for_a_header_field():
    """Nobody brings line ends, quotes or brackets into a results field by what he writes in his tags."""
    tags = b'v=1; a=rsa\r\n "sha; d=a(b; s="x"; b=(comment)\r\n ;'
    text = b"DKIM-Signature: " + tags + b"\r\n" + MESSAGE
    result = one(text)
    assert (result.domain, result.selector, result.algorithm, *marks(text)) == ("", "", "", "")


@pytest.mark.rfc(6376, "3.5", "3.7")
@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_signature_never_covers_itself(count):
    """Others that are below it it may, and say that there are no more (RFC 6376 §3.5, h=)."""
    inner = with_signature(BASE)
    names = ("from", "subject", *["dkim-signature"] * count)
    tags = BASE.replace("from:subject", ":".join(names))
    outer = with_signature(tags, inner, names=names)
    assert [r.result for r in check(outer)] == ["pass", "pass"]
    if count == 2:
        between = outer[: -len(inner)] + b"DKIM-Signature: x=y\r\n" + inner
        assert [r.result for r in check(between)] == ["fail", "permerror", "pass"]


@pytest.mark.rfc(6376, "6.1")
def test_only_so_many_signatures_count():
    message = with_signature(BASE)
    field = message[: message.index(b"From:")]
    results = check(field * 11 + message)
    assert [r.result for r in results] == ["pass"] * 10 + ["policy"]
    assert results[-1].reason == "2 more signatures were not looked at"
    assert [r.result for r in check(field * 2 + message, limits=DkimLimits(signatures=1))] == [
        "pass",
        "policy",
    ]


def test_a_key_is_asked_for_once():
    zone = Zone(record(ED25519))
    message = with_signature(BASE)
    field = message[: message.index(b"From:")]
    check(field * 5 + message, zone)
    assert zone.asked == {("TXT", "ed._domainkey.example.org"): 1}


def test_a_header_that_is_too_large():
    result = one(b"X: " + b"x" * 5_000 + b"\r\n" + signed(), limits=DkimLimits(header_size=5_000))
    assert (result.result, result.reason) == ("permerror", "the header is larger than 5000 octets")


def test_the_results_of_rsa():
    """The other key, another domain's key: a signature is by exactly one."""
    other = SigningKey("example.org", "rsa", KEYS[0].private)
    assert one(signed(), Zone(record(other))).result == "pass"
    stranger = SigningKey("example.org", "rsa", rsa.generate_private_key(65_537, 2_048))
    result = one(signed(), Zone(record(stranger)))
    assert (result.result, result.bits) == ("fail", 2_048)
    assert RSA.algorithm == "rsa-sha256"
