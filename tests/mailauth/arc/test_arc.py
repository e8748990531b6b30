"""Chains of seals: made by us, judged by us, and broken in every way that the structure allows."""

import asyncio
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailauth.dkim.signing import ED25519, KEYS, MESSAGE, RSA, ZONE, record, signed, split
from mailauth.zone import Zone
from mailserver.base.errors import Cannot
from mailserver.base.limits import DkimLimits
from mailserver.mailauth.arc.seal import seal
from mailserver.mailauth.arc.verify import ArcResult, Chain
from mailserver.mailauth.dkim.message import Message
from mailserver.mailauth.dkim.record import look_up
from mailserver.mailauth.dkim.verify import Verification

NOW = 2_000


def judge(message: bytes, zone: Zone = ZONE, now: int = NOW) -> ArcResult:
    header, body = split(message)
    read = Message(header)
    chain = Chain(read, now=now)
    for at in range(0, len(body), 7):
        read.feed(body[at : at + 7])
    records = {n: asyncio.run(look_up(zone, n, DkimLimits())) for n in chain.names}
    return chain.result(records)


def sealed(message: bytes = MESSAGE, key=RSA, times: int = 1, **rest) -> bytes:
    """*message* after it has passed through *times* servers that seal."""
    for n in range(times):
        header, body = split(message)
        chain = judge(message)
        rest = {"authserv_id": f"mx{n}.example.org", "results_text": f"spf=pass; n={n}", **rest}
        message = seal(header, [body], key, chain=chain, now=1_000 + n, **rest) + message
        rest.clear()
    return message


def test_no_chain():
    result = judge(MESSAGE)
    assert (result.result, result.instance, result.sealers) == ("none", 0, ())


@pytest.mark.rfc(8617, "5.1", "5.2", "4.1.1")
@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.selector)
@pytest.mark.parametrize("times", [1, 2, 5])
def test_what_we_seal_holds(key, times):
    result = judge(sealed(signed(), key, times))
    assert (result.result, result.instance) == ("pass", times)
    assert result.sealers == ("example.org",) * times
    assert [r.split(b";")[0].strip() for r in result.results] == [
        b"mx%d.example.org" % n for n in range(times)
    ]


@pytest.mark.rfc(8617, "4.2.1", "5.2")
def test_fifty_sets_are_a_chain_and_nobody_adds_the_fifty_first():
    message = sealed(key=ED25519, times=50)
    assert judge(message).result == "pass"
    header, body = split(message)
    text = {"authserv_id": "mx.example.org", "results_text": "spf=pass"}
    assert seal(header, [body], ED25519, chain=judge(message), now=1_000, **text) == b""
    more = message.replace(b"ARC-Seal: i=50;", b"ARC-Seal: i=51;", 1)
    assert judge(more).reason == "ARC-Seal has no instance from 1 to 50"
    extra = b"ARC-Seal: i=1; cv=none\r\n" + message
    assert judge(extra).reason == "there are more than 50 ARC sets"


@pytest.mark.rfc(8617, "5.2")
def test_what_is_changed_on_the_way_breaks_the_chain_unless_it_is_sealed_again():
    message = sealed(times=2)
    changed = message.replace(b"Hello", b"Goodbye")
    assert "the body is not what was signed" in judge(changed).reason
    assert judge(message.replace(b"Lunch", b"Dinner")).reason.startswith("the newest ARC signature")
    # a list that verifies, changes and seals: the first signature does not hold any more, the chain does
    header, body = split(message.replace(b"Hello", b"Goodbye"))
    text = {"authserv_id": "list.example.org", "results_text": "arc=pass"}
    again = seal(header, [body], RSA, chain=judge(message), now=NOW, **text)
    assert judge(again + header + b"\r\n" + body).result == "pass"


def _without(name: bytes, instance: int):
    pattern = re.compile(rb"%b: i=%d;[^\n]*\n(?:[ \t][^\n]*\n)*" % (name, instance))
    return lambda m: pattern.sub(b"", m, count=1)


def _twice(name: bytes, instance: int):
    pattern = re.compile(rb"%b: i=%d;[^\n]*\n(?:[ \t][^\n]*\n)*" % (name, instance))
    return lambda m: pattern.search(m)[0] + m


def _in(name: bytes, instance: int, old: bytes, new: bytes):
    pattern = re.compile(rb"%b: i=%d;[^\n]*\n(?:[ \t][^\n]*\n)*" % (name, instance))

    def change(message: bytes) -> bytes:
        field = pattern.search(message)[0]
        assert re.search(old, field)
        return message.replace(field, re.sub(old, new, field, count=1))

    return change


AAR, AMS, AS = b"ARC-Authentication-Results", b"ARC-Message-Signature", b"ARC-Seal"


@pytest.mark.rfc(8617, "4.1.3", "5.2", "4.2")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_without(AS, 2), "ARC-Seal 2 is missing"),
        (_without(AS, 1), "ARC-Seal 1 is missing"),
        (_without(AMS, 2), "ARC-Message-Signature 2 is missing"),
        (_without(AMS, 1), "ARC-Message-Signature 1 is missing"),
        (_without(AAR, 1), "ARC-Authentication-Results 1 is missing"),
        (_twice(AS, 1), "ARC-Seal 1 is there twice"),
        (_twice(AMS, 2), "ARC-Message-Signature 2 is there twice"),
        (_twice(AAR, 2), "ARC-Authentication-Results 2 is there twice"),
        (_in(AS, 1, b"i=1;", b"i=0;"), "ARC-Seal has no instance"),
        (_in(AS, 1, b"i=1;", b"i=a;"), "ARC-Seal has no instance"),
        (_in(AS, 1, b"i=1; ", b""), "ARC-Seal has no instance"),
        (_in(AAR, 1, b"i=1; ", b""), "ARC-Authentication-Results has no instance"),
        (_in(AAR, 1, b"i=1;", b"i=1"), "ARC-Authentication-Results has no instance"),
        (_in(AS, 1, b"cv=none", b"cv=pass"), "seal 1 says cv=pass, not cv=none"),
        (_in(AS, 1, b"cv=none", b"cv=fail"), "seal 1 says cv=fail, not cv=none"),
        (_in(AS, 2, b"cv=pass", b"cv=none"), "seal 2 says cv=none, not cv=pass"),
        (_in(AS, 2, b"cv=pass", b"cv=fail"), "the newest seal says that the chain was broken"),
        (_in(AS, 2, b"cv=pass;", b""), "seal 2 says cv=, not cv=pass"),
        (_in(AS, 2, b"cv=pass", b"cv=maybe"), "seal 2 says cv=maybe, not cv=pass"),
        (_in(AS, 2, b" b=", b" h=from; b="), "seal 2: it has h="),
        (_in(AS, 2, b"a=rsa-sha256", b"a=rsa-sha1"), "seal 2: rsa-sha1"),
        (_in(AS, 2, b"a=rsa-sha256", b"a=rsa-sha512"), "seal 2: the signature's algorithm"),
        (_in(AS, 2, b"a=rsa-sha256; ", b""), "seal 2: the signature has no a="),
        (_in(AS, 2, b"t=1001", b"t=yesterday"), "seal 2: t= is no time"),
        (_in(AS, 2, b"t=1001", b"t=1002"), "seal 2: the fields are not what was sealed"),
        (_in(AS, 2, b"d=example.org", b"d=.."), "seal 2: d= is no domain's name"),
        (_in(AS, 1, b"s=rsa", b"s=-"), "seal 1: s= is no selector"),
        (_in(AS, 1, b"s=rsa", b"s="), "seal 1: the signature has no s="),
        (_in(AS, 1, b"s=rsa", b"s=gone"), "seal 1: there is no key at gone._domainkey.example.org"),
        (_in(AS, 1, b" b=..", b" b=!!"), "seal 1: a value is not base64"),
        (_in(AS, 1, b"i=1", b"i=1; i=1"), "the tag i= is there twice"),
        (_in(AAR, 1, b"spf=pass", b"spf=fail"), "seal 1: the fields are not what was sealed"),
        (_in(AMS, 1, b"t=1000", b"t=1001"), "seal 1: the fields are not what was sealed"),
        (_in(AMS, 2, b"h=From", b"h=ARC-Seal:From"), "covers ARC-Seal, which it must not"),
        (_in(AMS, 2, b"h=(?s:.*?);", b"h=to;"), "the signature does not cover From"),
        (_in(AMS, 2, b"d=example.org", b"d=example.com"), "there is no key"),
        (_in(AMS, 2, b"bh=[^;]*", b"bh="), "the signature has no bh="),
        (lambda m: b"From: eve@example.com\r\n" + m, "the message has not exactly one From"),
        (lambda m: b"no field\r\n" + m, "the header has lines that belong to no field"),
    ],
)
def test_broken_chains(change, reason):
    message = sealed(times=2)
    broken = change(message)
    assert broken != message
    result = judge(broken)
    assert result.result == "fail"
    assert reason in result.reason
    assert not result.sealers
    assert not result.results


@pytest.mark.rfc(6376, "3.4.2")
@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.replace(b"ARC-Seal:", b"arc-SEAL :"),
        lambda m: m.replace(b"; cv=", b";\r\n\t  cv="),
        lambda m: re.sub(rb"(ARC-Seal: i=1;[^\n]*)\r\n", rb"\1 \t\r\n", m),
    ],
)
def test_white_space_breaks_nothing(change):
    message = sealed(times=2)
    assert change(message) != message
    assert judge(change(message)).result == "pass"


@pytest.mark.rfc(8617, "5.1.2", "5.1.3")
def test_a_broken_chain_is_sealed_as_such_once():
    broken = sealed(times=2).replace(b"Hello", b"Goodbye")
    assert judge(broken).result == "fail"
    message = sealed(broken)
    assert b"ARC-Seal: i=3;" in message
    assert b"cv=fail" in message
    result = judge(message)
    assert (result.result, result.is_closed, result.instance) == ("fail", True, 3)
    assert sealed(message) == message


@pytest.mark.rfc(8617, "5.2.1")
def test_a_key_that_cannot_be_asked_for_is_a_failure_that_may_pass():
    zone = Zone("rsa._domainkey.example.org TROUBLE")
    result = judge(sealed(), zone)
    assert (result.result, result.is_temporary) == ("fail", True)
    assert not judge(sealed(), Zone()).is_temporary


@pytest.mark.rfc(8617, "4.1.2")
def test_our_signature_covers_those_of_dkim_and_no_results():
    before = b"Authentication-Results: mx.example.org; spf=pass\r\n" + signed(key_list=KEYS)
    fields = sealed(before).partition(b"Authentication-Results: mx.example.org")[0]
    names = re.search(rb"h=([^;]*);", fields)[1].lower()
    assert names.count(b"dkim-signature") == 2
    assert b"arc-" not in names
    assert b"authentication-results" not in names


def test_dkim_and_arc_are_judged_in_one_reading():
    message = sealed(signed(key_list=KEYS))
    header, body = split(message)
    read = Message(header)
    dkim, arc = Verification(read, now=NOW), Chain(read, now=NOW)
    read.feed(body)
    names = {*dkim.names, *arc.names}
    assert len(names) == 2
    records = {n: asyncio.run(look_up(ZONE, n, DkimLimits())) for n in names}
    assert [r.result for r in dkim.results(records)] == ["pass", "pass"]
    assert arc.result(records).result == "pass"


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (b"Subject: no sender\r\n", "spf=pass"),
        (b"no field\r\n", "spf=pass"),
        (b"From: a@example.org\r\n", ""),
        (b"From: a@example.org\r\n", "spf=pass\r\nBcc: eve@example.com"),
        (b"From: a@example.org\r\n", "spf=pass\nBcc: eve@example.com"),
        (b"From: a@example.org\r\n", "spf=pass\r\n \r\n"),
        (b"From: a@example.org\r\n", "spf=pass\0"),
    ],
)
def test_what_cannot_be_sealed(header, text):
    text = {"authserv_id": "mx.example.org", "results_text": text}
    chain = ArcResult("none", "")
    if text["results_text"] == "spf=pass\r\n \r\n":  # the ends do not count
        assert seal(header, [], RSA, chain=chain, now=1_000, **text)
        return
    with pytest.raises(Cannot):
        seal(header, [], RSA, chain=chain, now=1_000, **text)


def test_a_chain_that_is_gone_cannot_be_continued():
    header, body = split(MESSAGE)
    chain = ArcResult("pass", "", sealers=("example.org",), instance=1)
    made = seal(header, [body], RSA, chain=chain, now=1_000, authserv_id="a", results_text="b=c")
    assert judge(made + MESSAGE).result == "fail"
    header = b"ARC-Seal: i=1\r\n" + header
    with pytest.raises(Cannot):
        seal(header, [body], RSA, chain=chain, now=1_000, authserv_id="a", results_text="b=c")


def test_keys_of_others_do_not_open_a_chain():
    other = Zone(record(RSA, "v=DKIM1; k=rsa; p=" + "A" * 40))
    assert judge(sealed(), other).result == "fail"


@given(
    st.lists(
        st.tuples(
            st.sampled_from([AAR, AMS, AS]),
            st.text("i=123;abhcvdst; \tnonepass-", max_size=60) | st.just("i=1; cv=none"),
        ),
        max_size=6,
    )
)
def test_garbage_is_a_failure(fields):
    header = b"".join(name + b": " + text.encode() + b"\r\n" for name, text in fields)
    result = judge(header + MESSAGE)
    assert result.result == ("fail" if fields else "none")


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(b"ARC-Seal: i=1; cv=none\r\n" * 10_000, id="ten thousand seals"),
        pytest.param(
            b"".join(
                b"ARC-Seal: i=%d; cv=pass; d=a.b; s=c; a=rsa-sha256; b=AAAA\r\n"
                b"ARC-Message-Signature: i=%d; d=a.b; s=c; a=rsa-sha256; b=AAAA; bh=AAAA; h=from%b\r\n"
                b"ARC-Authentication-Results: i=%d; %b\r\n" % (n, n, b":a" * 990, n, b"x" * 16_000)
                for n in range(1, 51)
            ).replace(b"i=1; cv=pass", b"i=1; cv=none"),
            id="fifty large sets",
        ),
        pytest.param(b"ARC-Authentication-Results: i=" + b"1" * 30_000 + b"\r\n", id="digits"),
    ],
)
def test_hostile_chains_cost_little(fields):
    start = time.process_time()
    assert judge(fields + MESSAGE).result == "fail"
    assert time.process_time() - start < 10
