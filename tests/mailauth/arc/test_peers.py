"""Chains of which some links are ours and some are dkimpy's or Mail::DKIM's, judged by all of them."""

import itertools
import re
import time

import pytest

from mailauth.arc.chains import RESULTS, Peers, judge
from mailauth.dkim.peers import corpus
from mailauth.dkim.signing import RSA, signed, split
from mailserver.mailauth.arc.seal import seal


@pytest.fixture(scope="module")
def peers(tmp_path_factory):
    return Peers(tmp_path_factory.mktemp("arc"))


@pytest.mark.needs("dkimproxy-verify")
@pytest.mark.rfc(8617, "5.1", "5.2")
@pytest.mark.parametrize("who", list(itertools.product(["ours", "dkimpy", "perl"], repeat=2)))
def test_chains_of_two(peers, who):
    message = signed(corpus()[25])
    for name in who:  # the others take what was found about the chain from this field
        found = b"arc=%b" % judge(message).result.encode()
        message = re.sub(rb"(?m)^Authentication-Results:[^\n]*\n", b"", message)
        message = RESULTS.replace(b"spf=pass", found + b"; spf=pass") + message
        message = getattr(peers, name)(message)
    assert peers.say(message) == ("pass", "pass", "pass")
    assert judge(message).instance == 2


@pytest.mark.needs("dkimproxy-verify")
@pytest.mark.rfc(8617, "5.2")
@pytest.mark.parametrize(
    "change",
    [
        lambda m: m + b"more\r\n",
        lambda m: m.replace(b"spf=pass", b"spf=fail", 1),
        lambda m: m.replace(b"i=2; a=rsa", b"i=3; a=rsa", 1),
        lambda m: m.replace(b"cv=pass", b"cv=none", 1),
        lambda m: m.replace(b"cv=none", b"cv=pass"),
        lambda m: m.replace(b"ARC-Seal: i=1", b"X-Seal: i=1"),
        lambda m: m.replace(b"ARC-Authentication-Results: i=1", b"X-Results: i=1"),
        lambda m: m.replace(b"s=rsa", b"s=gone", 1),
        lambda m: m.replace(b"From: Alice", b"From: Eve"),
    ],
)
def test_broken_chains(peers, change):
    message = peers.ours(peers.ours(RESULTS + corpus()[3]))
    assert peers.say(message) == ("pass", "pass", "pass")
    broken = change(message)
    assert broken != message
    ours, dkimpy, perl = peers.say(broken)
    assert ours == "fail"
    assert dkimpy == "fail"
    assert perl != "pass"


@pytest.mark.needs("dkimproxy-verify")
@pytest.mark.rfc(8617, "5.2")
def test_a_message_that_was_changed_between_two_seals(peers):
    message = peers.ours(RESULTS + corpus()[3]) + b"-- \r\nthe list\r\n"
    header, body = split(message)
    text = {"authserv_id": "list.example.org", "results_text": "arc=pass"}
    before = judge(message.removesuffix(b"-- \r\nthe list\r\n"))
    message = seal(header, [body], RSA, chain=before, now=int(time.time()), **text) + message
    assert peers.say(message) == ("pass", "pass", "pass")
