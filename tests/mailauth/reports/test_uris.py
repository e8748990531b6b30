"""Where reports go: URIs, their sizes, and the record that asks for TLS reports."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import PeerError
from mailserver.mailauth.reports.uris import (
    URIS,
    Destination,
    destination,
    destinations,
    split,
    tls_record,
)


@pytest.mark.rfc(9989, "4.7")
@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("mailto:r@example.org", Destination("mailto", "r@example.org", "example.org")),
        ("MAILTO:r@Example.Org", Destination("mailto", "r@Example.Org", "example.org")),
        (
            "mailto:r@example.org!10m",
            Destination("mailto", "r@example.org", "example.org", 10 << 20),
        ),
        ("mailto:r@example.org!50", Destination("mailto", "r@example.org", "example.org", 50)),
        ("mailto:r@example.org!1K", Destination("mailto", "r@example.org", "example.org", 1 << 10)),
        ("mailto:r@example.org!2t", Destination("mailto", "r@example.org", "example.org", 2 << 40)),
        ("mailto:a%2Bb%21c@example.org", Destination("mailto", "a+b!c@example.org", "example.org")),
        ("mailto:r@example.org?subject=x", Destination("mailto", "r@example.org", "example.org")),
        (
            "https://Reports.example.org:8443/v1?a=b",
            Destination("https", "https://Reports.example.org:8443/v1?a=b", "reports.example.org"),
        ),
    ],
)
def test_what_a_uri_says(uri: str, expected: Destination) -> None:
    assert destination(uri) == expected


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "r@example.org",
        "mailto:",
        "mailto:r",
        "mailto:r@",
        "mailto:r@localhost",
        "mailto:r@[192.0.2.1]",
        "mailto:a@example.org,b@example.org",
        'mailto:"a b"@example.org',
        "mailto:r%0d%0aBcc:x@example.org",
        "mailto:r@example.org!",
        "mailto:r@example.org!10x",
        "mailto:r@example.org!99999999999999999999",
        "mailto:" + "r" * 65 + "@example.org",
        "mailto:r@" + "a." * 130 + "org",
        "mailto:ü@example.org",
        "http://example.org/",
        "ftp://example.org/",
        "https://",
        "https://localhost/",
        "https://192.0.2.10/",
        "https://user:secret@example.org/",
        "https://[2001:db8::1]/",
        "https://example.org:99999/",
        "https://example.org/\r\nX: y",
    ],
)
def test_what_is_no_destination(uri: str) -> None:
    with pytest.raises(PeerError):
        destination(uri)


def test_what_cannot_be_used_is_left_out_and_each_comes_once() -> None:
    found = destinations(
        [
            "mailto:a@example.org",
            "nonsense",
            "https://example.org/",
            "mailto:A@example.org",
            "mailto:b@example.org",
        ]
    )
    assert [one.target for one in found] == ["a@example.org", "b@example.org"]
    assert destinations(["https://example.org/"], ("https",))[0].scheme == "https"
    assert len(destinations(f"mailto:a{n}@example.org" for n in range(100))) == URIS


def test_uris_stand_between_commas() -> None:
    assert split(" mailto:a@example.org , mailto:b@example.org!1m,,") == [
        "mailto:a@example.org",
        "mailto:b@example.org!1m",
    ]


@pytest.mark.rfc(8460, "3")
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([b"v=TLSRPTv1;rua=mailto:r@example.com"], ("mailto:r@example.com",)),
        (
            [b"v=TLSRPTv1; rua=mailto:r@example.com , https://example.com/v1 ; x=y"],
            ("mailto:r@example.com", "https://example.com/v1"),
        ),
        ([b"v=spf1 -all", b"v=TLSRPTv1;rua=mailto:r@example.com;"], ("mailto:r@example.com",)),
        ([b"v=TLSRPTv1;rua=mailto:a@b.example"] * 2, ()),
        ([b"v=TLSRPTv2;rua=mailto:r@example.com"], ()),
        ([b"v=TLSRPTv1x;rua=mailto:r@example.com"], ()),
        ([b"v=tlsrptv1;rua=mailto:r@example.com"], ()),
        ([b"v=TLSRPTv1"], ()),
        ([b"rua=mailto:r@example.com;v=TLSRPTv1"], ()),
        ([b"\xff" * 5_000], ()),
        ([], ()),
    ],
)
def test_one_record_asks_for_tls_reports(values: list[bytes], expected: tuple[str, ...]) -> None:
    assert tls_record(values) == expected


@given(st.text(max_size=100))
def test_any_text_is_a_destination_or_none(text: str) -> None:
    for uri in (text, f"mailto:{text}", f"https://{text}"):
        try:
            found = destination(uri)
        except PeerError:
            continue
        assert found.host
        assert found.target.isprintable()
