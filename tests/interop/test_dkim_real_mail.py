"""Real mail: what we sign of it is what dkimpy signs, and the signatures that it came with can be read."""

import hashlib
from collections import Counter

import dkim
import pytest
from dkim.canonicalization import CanonicalizationPolicy

from mailauth.dkim.judges import RECORDS, record
from mailauth.dkim.signing import ED25519, split
from mailserver.mailauth.dkim.body import Bodies, Wanted
from mailserver.mailauth.dkim.message import Message
from mailserver.mailauth.dkim.outcome import Problem
from mailserver.mailauth.dkim.sign import sign
from mailserver.mailauth.dkim.verify import Verification
from outside.corpus import Sample

#: fields that dkimpy leaves out, for a blank stands before their colon (RFC 6376 §3.4.2 has them)
BLANK_BEFORE_COLON = b"From : "


@pytest.mark.rfc(6376, "3.4")
@pytest.mark.parametrize("form", ["simple", "relaxed"])
def test_canonical_forms_are_those_of_dkimpy(samples: list[Sample], form):
    policy = CanonicalizationPolicy.from_c_value(f"{form}/{form}".encode())
    for sample in samples:
        header, body = split(sample.raw)
        bodies, wanted = Bodies(), Wanted(form)
        bodies.want(wanted)
        bodies.feed(body)
        theirs = hashlib.sha256(policy.canonicalize_body(body)).digest()
        if body.endswith(b"\r\n") or not body:
            assert bodies.digest(wanted).digest == theirs, sample.name
        fields = Message(header).header.fields
        assert fields, sample.name
        if BLANK_BEFORE_COLON in header:
            continue
        parsed, _ = dkim.rfc822_parse(header + b"\r\n")
        expected = [name + b":" + text for name, text in policy.canonicalize_headers(parsed)]
        assert [field.canonical(form) + b"\r\n" for field in fields] == expected, sample.name


@pytest.mark.rfc(6376, "3.5", "6.1.1")
def test_signatures_of_real_mail_can_be_read(samples: list[Sample]):
    """Without their keys; the bodies of half of them are as they were signed, the rest was changed by who kept them."""
    said: Counter[str] = Counter()
    for sample in samples:
        header, body = split(sample.raw)
        message = Message(header)
        verification = Verification(message, now=2_000_000_000)
        message.feed(body)
        gone = Problem("permerror", "no key")
        for result in verification.results(dict.fromkeys(verification.names, gone)):
            said[result.reason] += 1
    assert said["no key"] > 50, said
    odd = said.total() - said["no key"] - said["rsa-sha1 proves nothing any more"]
    assert odd <= said.total() // 20, said


@pytest.mark.rfc(6376, "3.7", "5.5")
def test_dkimpy_verifies_what_we_sign_of_real_mail(samples: list[Sample]):
    assert ED25519.record_name in RECORDS
    count = 0
    for sample in samples:
        header, body = split(sample.raw)
        fields = Message(header).header
        if len(fields.named(b"from")) != 1 or BLANK_BEFORE_COLON in header:
            continue
        if body and not body.endswith(b"\r\n"):
            continue
        made = sign(header, [body], [ED25519], now=1_000)
        judge = dkim.DKIM(made + sample.raw)
        assert judge.verify(0, dnsfunc=record), sample.name
        count += 1
    assert count > 900
