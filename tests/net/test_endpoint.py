"""Addresses as the configuration writes them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.net.endpoint import Endpoint, parse_endpoint


@pytest.mark.rfc(3986, "3.2.2")
@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        (":25", Endpoint("", 25)),
        ("127.0.0.1:2525", Endpoint("127.0.0.1", 2525)),
        ("mail.example.org:65535", Endpoint("mail.example.org", 65535)),
        ("[::1]:143", Endpoint("::1", 143)),
        ("[2001:DB8:0:0::1]:143", Endpoint("2001:db8::1", 143)),
        ("unix:/run/mail.sock", Endpoint(path=Path("/run/mail.sock"))),
        ("unix:relative:odd.sock", Endpoint(path=Path("relative:odd.sock"))),
    ],
)
def test_forms(text, endpoint):
    assert parse_endpoint(text) == endpoint
    assert parse_endpoint(str(endpoint)) == endpoint


@pytest.mark.rfc(1123, "2.1")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("25", "expected host:port, [v6]:port, :port or unix:PATH"),
        ("host:", "expected host:port, [v6]:port, :port or unix:PATH"),
        ("host:0", "'0' is not a port; ports are 1 to 65535"),
        ("host:65536", "'65536' is not a port; ports are 1 to 65535"),
        ("host:²", "'²' is not a port; ports are 1 to 65535"),
        ("host:smtp", "'smtp' is not a port; ports are 1 to 65535"),
        ("::1:25", "an IPv6 address stands in brackets, as in [::1]:25"),
        ("[::g]:25", "'::g' is not an IPv6 address"),
        ("300.0.0.1:25", "'300.0.0.1' is not an IPv4 address"),
        ("-bad-:25", "'-bad-' is not a host name"),
        ("a b:25", "'a b' is not a host name"),
        ("unix:", "a path must follow unix:, as in unix:/run/mail.sock"),
        ("unix:/" + "x" * 107, "the path of a UNIX socket has at most 107 octets"),
    ],
)
def test_refusals_say_what_was_expected(text, reason):
    with pytest.raises(ValueError, match=r".+") as caught:
        parse_endpoint(text)
    assert str(caught.value) == reason


@given(st.text(max_size=40))
def test_garbage_is_refused_or_round_trips(text):
    try:
        endpoint = parse_endpoint(text)
    except ValueError:
        return
    assert parse_endpoint(str(endpoint)) == endpoint
