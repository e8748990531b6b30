"""Received-SPF: one field, whatever a stranger has put into its values."""

import email
import email.policy
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mailauth.spf.received import build
from mailserver.mailauth.spf.result import SpfResult

IP = ip_address("192.0.2.1")


@pytest.mark.rfc(7208, "9.1")
def test_a_field() -> None:
    result = SpfResult("pass", "192.0.2.1 matches mx of example.org", "example.org", "", "mx")
    assert build(result, IP, "user@example.org", "mail.example.org", "mx.example.net") == (
        b"Received-SPF: pass (192.0.2.1 matches mx of example.org)\r\n"
        b"\tidentity=mailfrom;\r\n\tclient-ip=192.0.2.1;\r\n"
        b'\tenvelope-from="user@example.org";\r\n\thelo=mail.example.org;\r\n'
        b"\treceiver=mx.example.net;\r\n\tmechanism=mx\r\n"
    )


@pytest.mark.rfc(7208, "9.1")
def test_what_went_wrong() -> None:
    result = SpfResult("permerror", "a (record) is wrong", "example.org", identity="helo")
    assert build(result, ip_address("2001:db8::1"), "a@b.example", 'odd"name', "") == (
        b"Received-SPF: permerror (a [record] is wrong)\r\n"
        b'\tidentity=helo;\r\n\tclient-ip="2001:db8::1";\r\n\thelo="odd\\"name";\r\n'
        b'\tproblem="a (record) is wrong"\r\n'
    )


@given(st.text(max_size=400), st.text(max_size=400), st.text(max_size=100))
def test_nobody_adds_a_field(reason: str, sender: str, helo: str) -> None:
    field = build(SpfResult("fail", reason, "x.example", "", "all"), IP, sender, helo, "r.example")
    message = email.message_from_bytes(field + b"\r\n", policy=email.policy.compat32)
    assert message.keys() == ["Received-SPF"]
    assert field.endswith(b"\r\n")
    assert field.isascii()
    assert max(map(len, field.split(b"\r\n"))) < 998
