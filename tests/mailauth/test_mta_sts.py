"""MTA-STS records and policies, as they should be and otherwise."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mailauth.mta_sts import (
    MAX_AGE,
    Mode,
    Policy,
    PolicyError,
    address,
    id_of,
    own,
    parse,
    record,
    record_id,
)

GOOD = b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n"


@pytest.mark.rfc(8461, "3.1")
@pytest.mark.parametrize(
    ("records", "id"),
    [
        (["v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
        (["v=STSv1;id=1"], "1"),
        (["v=STSv1 ;\tid=1 ; later=x,y:z ;"], "1"),
        (["v=STSv1; id = 1;"], ""),
        (["v = STSv1; id=1;"], ""),
        ([" v=STSv1; id=1;"], ""),
        (["v=STSv1; id=1; later=a=b"], ""),
        (["v=STSv1; later=x; id=1"], "1"),
        (["v=STSv1; id=1; id=2"], "1"),
        (["v=spf1 -all", "v=STSv1; id=1"], "1"),
        (["v=STSv1; id=1", "v=STSv1; id=1"], ""),  # not exactly one
        (["v=STSv1"], ""),
        (["v=STSv1;"], ""),
        (["v=STSv1; id="], ""),
        (["v=STSv1; id=a-b"], ""),
        (["v=STSv1; id=" + "a" * 33], ""),
        (["v=STSv1; id=" + "a" * 32], "a" * 32),
        (["v=STSv2; id=1"], ""),
        (["V=STSv1; id=1"], ""),
        (["v=stsv1; id=1"], ""),
        (["id=1; v=STSv1;"], ""),
        (["v=STSv1; id=1;; x=y"], ""),
        (["v=STSv1; id=1; broken"], ""),
        (["v=STSv1; ID=1"], ""),
        ([], ""),
    ],
)
def test_the_record(records: list[str], id: str) -> None:
    assert record_id(text.encode() for text in records) == id


@pytest.mark.rfc(8461, "3.2")
@pytest.mark.parametrize(
    "raw",
    [
        GOOD,
        GOOD.replace(b"\r\n", b"\n"),
        GOOD.rstrip(),
        GOOD.replace(b": ", b":"),
        GOOD.replace(b": ", b" : \t").replace(b"\r\n", b" \r\n"),
        GOOD + b"later: something else: with a colon\r\n",
        GOOD + b"mode: none\r\nversion: STSv9\r\nmax_age: 1\r\n",
        GOOD + b"\r\n \r\n",
        GOOD.replace(b"mail.example.com", b"Mail.Example.COM."),
    ],
)
def test_a_policy(raw: bytes) -> None:
    assert parse(raw) == Policy(Mode.ENFORCE, ("mail.example.com", "*.example.net"), 604_800)


@pytest.mark.rfc(8461, "3.2")
@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", "no version"),
        (b"<html>\n", "line 1 is no field"),
        (GOOD.replace(b"STSv1", b"STSv2"), "version"),
        (GOOD.replace(b"enforce", b"report"), "mode"),
        (GOOD.replace(b"enforce", b"Enforce"), "mode"),
        (GOOD.replace(b"604800", b"-1"), "max_age"),
        (GOOD.replace(b"604800", b"1e9"), "max_age"),
        (GOOD.replace(b"604800", b"12345678901"), "max_age"),
        (GOOD.replace(b"604800", "٣".encode()), "max_age"),
        (GOOD.replace(b"mode: enforce\r\n", b""), "no mode"),
        (GOOD.replace(b"max_age", b"max-age"), "no max_age"),
        (b"version: STSv1\nmode: testing\nmax_age: 1\n", "no mail host"),
        (GOOD.replace(b"mail.example.com", b"mail.*.com"), "is no host"),
        (GOOD.replace(b"mail.example.com", b"*"), "is no host"),
        (GOOD.replace(b"mail.example.com", b""), "is no host"),
        (GOOD.replace(b"\r\nmx", b"\r\n\r\nmx", 1), "line 3"),
        (GOOD + b"\xff: x\n", "UTF-8"),
        (GOOD + b"mx: a\n" * 20_000, "octets"),
        (GOOD + b"mx: a\n" * 2_000, "more than 1000"),
    ],
)
def test_no_policy(raw: bytes, text: str) -> None:
    with pytest.raises(PolicyError, match=text):
        parse(raw)


def test_bounds() -> None:
    assert parse(GOOD.replace(b"604800", b"9999999999")).max_age == MAX_AGE
    assert parse(b"version: STSv1\nmode: none\nmax_age: 0\n") == Policy(Mode.NONE, (), 0)


@pytest.mark.rfc(8461, "4.1")
@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        ("mail.example.com", True),
        ("MAIL.example.com.", True),
        ("x.mail.example.com", False),
        ("example.com", False),
        ("mx1.example.net", True),
        ("a.mx1.example.net", False),
        ("example.net", False),
        (".example.net", False),
        ("", False),
    ],
)
def test_which_hosts_are_allowed(host: str, is_allowed: bool) -> None:
    assert parse(GOOD).allows(host) is is_allowed


def test_our_own() -> None:
    policy = own(Mode.TESTING, ["Mail.Example.org.", "mail.example.org", "mx2.example.org"])
    assert parse(str(policy).encode()) == policy
    assert policy.strings[:2] == ("version: STSv1", "mode: testing")
    assert policy.mx == ("mail.example.org", "mx2.example.org")
    id = id_of(policy)
    assert record_id([record(id).encode()]) == id
    assert id != id_of(own(Mode.ENFORCE, policy.mx))
    assert address("example.org") == "https://mta-sts.example.org/.well-known/mta-sts.txt"


label = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=10)
name = st.lists(label, min_size=1, max_size=4).map(".".join)


@given(
    st.sampled_from(Mode),
    st.lists(st.one_of(name, name.map("*.{}".format)), min_size=1, max_size=5, unique=True),
    st.integers(0, MAX_AGE),
)
def test_there_and_back(mode: Mode, mx: list[str], age: int) -> None:
    policy = Policy(mode, tuple(mx), age)
    assert parse(str(policy).encode()) == policy
    assert all(policy.allows(one.replace("*", "x")) for one in mx)


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_garbage(raw: bytes) -> None:
    assert record_id([raw]) == "" or raw.startswith(b"v")
    try:
        policy = parse(raw)
    except PolicyError:
        return
    assert parse(str(policy).encode()) == policy


@given(st.text("vSTid=;: 1a\t", max_size=60))
def test_records_of_nearly_the_right_form(text: str) -> None:
    id = record_id([f"v=STSv1;{text}".encode()])
    assert id == "" or record_id([record(id).encode()]) == id
