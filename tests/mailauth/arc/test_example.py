"""The message of RFC 8617 appendix B: three servers have sealed it, with keys of 512 bits that nobody publishes."""

import asyncio

import pytest

from mailauth.dkim.signing import split
from mailauth.zone import Zone
from mailserver.base.limits import DkimLimits
from mailserver.mailauth.arc.sets import read_sets
from mailserver.mailauth.arc.verify import Chain
from mailserver.mailauth.dkim.body import Wanted
from mailserver.mailauth.dkim.message import Message
from mailserver.mailauth.dkim.record import look_up
from mailserver.mailauth.dkim.signature import read_claim, read_signature
from mailserver.mailauth.dkim.verify import Verification

EXAMPLE = b"""\
ARC-Seal: i=3; a=rsa-sha256; cv=pass; d=clochette.example.org; s=
        clochette; t=12345; b=CU87XzXlNlk5X/yW4l73UvPUcP9ivwYWxyBWcVrRs7
        +HPx3K05nJhny2fvymbReAmOA9GTH/y+k9kEc59hAKVg==
ARC-Message-Signature: i=3; a=rsa-sha256; c=relaxed/relaxed; d=
        clochette.example.org; h=message-id:date:from:to:subject; s=
        clochette; t=12345; bh=KWSe46TZKCcDbH4klJPo+tjk5LWJnVRlP5pvjXFZY
        LQ=; b=o71vwyLsK+Wm4cOSlirXoRwzEvi0vqIjd/2/GkYFYlSd/GGfKzkAgPqxf
        K7ccBMP7Zjb/mpeggswHjEMS8x5NQ==
ARC-Authentication-Results: i=3; clochette.example.org; spf=fail
    smtp.from=jqd@d1.example; dkim=fail (512-bit key)
    header.i=@d1.example; dmarc=fail; arc=pass (as.2.gmail.example=pass,
    ams.2.gmail.example=pass, as.1.lists.example.org=pass,
    ams.1.lists.example.org=fail (message has been altered))
ARC-Seal: i=2; a=rsa-sha256; cv=pass; d=gmail.example; s=20120806; t=
        12345; b=Zpukh/kJL4Q7Kv391FKwTepgS56dgHIcdhhJZjsalhqkFIQQAJ4T9BE
        8jjLXWpRNuh81yqnT1/jHn086RwezGw==
ARC-Message-Signature: i=2; a=rsa-sha256; c=relaxed/relaxed; d=
        gmail.example; h=message-id:date:from:to:subject; s=20120806; t=
        12345; bh=KWSe46TZKCcDbH4klJPo+tjk5LWJnVRlP5pvjXFZYLQ=; b=CVoG44
        cVZvoSs2mMig2wwqPaJ4OZS5XGMCegWqQs1wvRZJS894tJM0xO1RJLgCPsBOxdA5
        9WSqI9s9DfyKDfWg==
ARC-Authentication-Results: i=2; gmail.example; spf=fail
    smtp.from=jqd@d1.example; dkim=fail (512-bit key)
    header.i=@example.org; dmarc=fail; arc=pass
    (as.1.lists.example.org=pass, ams.1.lists.example.org=pass)
ARC-Seal: i=1; a=rsa-sha256; cv=none; d=lists.example.org; s=dk-lists;
         t=12345; b=TlCCKzgk3TrAa+G77gYYO8Fxk4q/Ml0biqduZJeOYh6+0zhwQ8u/
        lHxLi21pxu347isLSuNtvIagIvAQna9a5A==
ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; d=
        lists.example.org; h=message-id:date:from:to:subject; s=
        dk-lists; t=12345; bh=KWSe46TZKCcDbH4klJPo+tjk5LWJnVRlP5pvjXFZYL
        Q=; b=DsoD3n3hiwlrN1ma8IZQFgZx8EDO7Wah3hUjIEsYKuShRKYB4LwGUiKD5Y
        yHgcIwGHhSc/4+ewYqHMWDnuFxiQ==
ARC-Authentication-Results: i=1; lists.example.org; spf=pass
    smtp.mfrom=jqd@d1.example; dkim=pass (512-bit key)
    header.i=@d1.example; dmarc=pass
DKIM-Signature: v=1; a=rsa-sha1; c=relaxed/relaxed; d=d1.example; h=
        message-id:date:from:to:subject; s=origin2015; bh=bIxxaeIQvmOBdT
        AitYfSNFgzPP4=; b=qKjd5fYibKXWWIcMKCgRYuo1vJ2fD+IAQPjX+uamXIGY2Q
        0HjQ+Lq3/yHzG3JHJp6780/nKQPOWt2UDJQrJkEA==
Message-ID: <54B84785.1060301@d1.example>
Date: Thu, 14 Jan 2015 15:00:01 -0800
From: John Q Doe <jqd@d1.example>
To: arc@dmarc.example
Subject: [List 2] Example 1

Hey gang,
This is a test message.
--J.
""".replace(b"\n", b"\r\n")


@pytest.mark.rfc(8617, "B", "4.1", "4.2")
def test_its_sets_are_read():
    header, _ = split(EXAMPLE)
    sets = read_sets(Message(header).header, DkimLimits())
    assert [(one.instance, one.status) for one in sets] == [(1, "none"), (2, "pass"), (3, "pass")]
    domains = [read_claim(one.seal_tags).domain for one in sets]
    assert domains == ["lists.example.org", "gmail.example", "clochette.example.org"]
    assert [one.payload.split(b";")[0].strip().decode() for one in sets] == domains


@pytest.mark.rfc(8617, "B", "4.1.2")
def test_its_body_is_what_all_three_have_signed():
    header, body = split(EXAMPLE)
    message = Message(header)
    message.bodies.want(Wanted("relaxed"))
    message.feed(body)
    for one in read_sets(message.header, message.limits):
        claim = read_claim(one.signature_tags)
        signature = read_signature(
            one.signature, one.signature_tags, claim, message.limits, is_arc=True
        )
        assert signature.body_hash == message.bodies.digest(Wanted("relaxed")).digest


@pytest.mark.rfc(8617, "B", "5.2")
@pytest.mark.rfc(8301, "3.1")
def test_nothing_is_wrong_with_it_but_its_keys():
    header, body = split(EXAMPLE)
    message = Message(header)
    chain, dkim = Chain(message, now=1_764_000_000), Verification(message, now=1_764_000_000)
    message.feed(body)
    records = {n: asyncio.run(look_up(Zone(), n, DkimLimits())) for n in chain.names}
    assert set(records) == {
        "clochette._domainkey.clochette.example.org",
        "20120806._domainkey.gmail.example",
        "dk-lists._domainkey.lists.example.org",
    }
    assert chain.result(records).reason == (
        "the newest ARC signature: there is no key at clochette._domainkey.clochette.example.org"
    )
    assert [r.reason for r in dkim.results({})] == ["rsa-sha1 proves nothing any more"]
