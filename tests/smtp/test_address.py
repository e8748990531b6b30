"""Paths and mailboxes of the SMTP envelope."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import PeerError
from mailserver.smtp.address import NULL, Address, literal, parse_domain, parse_mailbox, parse_path

LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
DOMAIN = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
IP = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(lambda ip: literal(str(ip)))
LOCALPART = st.text(
    st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs", "Cc"]),
    max_size=30,
)


@pytest.mark.rfc(5321, "4.1.2")
@pytest.mark.parametrize(
    ("wire", "localpart", "domain"),
    [
        ("<alice@example.test>", "alice", "example.test"),
        ("<Alice@Example.TEST>", "Alice", "example.test"),
        ("<a.b.c@x>", "a.b.c", "x"),
        ("<!#$%&'*+-/=?^_`{|}~@x.y>", "!#$%&'*+-/=?^_`{|}~", "x.y"),
        ('<"joe smith"@x.y>', "joe smith", "x.y"),
        (r'<"Joe\,Smith"@x.y>', "Joe,Smith", "x.y"),
        (r'<"a\"b\\c"@x.y>', r'a"b\c', "x.y"),
        ('<"alice"@x.y>', "alice", "x.y"),
        ('<""@x.y>', "", "x.y"),
        ('<"a@b>c"@x.y>', "a@b>c", "x.y"),
        ("<a@[192.0.2.1]>", "a", "[192.0.2.1]"),
        ("<a@[192.0.2.001]>", "a", "[192.0.2.1]"),
        ("<a@[IPv6:2001:DB8:0::1]>", "a", "[IPv6:2001:db8::1]"),
        ("<a@[ipv6:2001:db8::192.0.2.1]>", "a", "[IPv6:2001:db8::c000:201]"),
        ("<a@[Tag:content]>", "a", "[tag:content]"),
    ],
)
def test_path(wire: str, localpart: str, domain: str) -> None:
    path, rest = parse_path(wire + " SIZE=1")
    assert path.address == Address(localpart, domain)
    assert path.is_ascii
    assert rest == " SIZE=1"


@pytest.mark.rfc(5321, "4.1.1.3", "C")
@pytest.mark.parametrize(
    "wire", ["<@hosta.int,@jkl.org:userc@d.bar.org>", "<@[192.0.2.1]:userc@d.bar.org>"]
)
def test_a_source_route_is_dropped(wire: str) -> None:
    assert parse_path(wire)[0].address == Address("userc", "d.bar.org")


@pytest.mark.rfc(5321, "4.5.5", "4.1.1.3")
def test_null_path_and_postmaster() -> None:
    assert parse_path("<> BODY=8BITMIME") == (NULL, " BODY=8BITMIME")
    path, rest = parse_path("<PostMaster>", postmaster=True)
    assert path.address == Address("PostMaster", "")
    assert not rest
    assert str(path.address) == "PostMaster"
    with pytest.raises(PeerError):
        parse_path("<PostMaster>")
    with pytest.raises(PeerError):
        parse_path("<alice>", postmaster=True)


@pytest.mark.rfc(6531, "3.3")
@pytest.mark.rfc(5890)
@pytest.mark.parametrize(
    ("wire", "localpart", "domain"),
    [
        ("<müller@example.test>", "müller", "example.test"),
        ("<用户@例子.test>", "用户", "xn--fsqu00a.test"),
        ("<a@BÜCHER.example>", "a", "xn--bcher-kva.example"),
        ('<"mü ller"@example.test>', "mü ller", "example.test"),
    ],
)
def test_utf8(wire: str, localpart: str, domain: str) -> None:
    path, _ = parse_path(wire)
    assert path.address == Address(localpart, domain)
    assert not path.is_ascii


@pytest.mark.rfc(5321, "4.1.2", "4.5.3.1.2")
@pytest.mark.parametrize(
    "wire",
    [
        "",
        "<",
        "alice@example.test",
        "<alice@example.test",
        "<alice>",
        "<alice@>",
        "<@example.test>",
        "<.alice@example.test>",
        "<alice.@example.test>",
        "<al..ice@example.test>",
        "<al ice@example.test>",
        "<alice@exam ple.test>",
        "<alice@example..test>",
        "<alice@.test>",
        "<alice@example.test.>",
        "<alice@under_score.test>",
        "<alice@-x.test>",
        "<alice@x-.test>",
        "<alice@" + "x" * 64 + ".test>",
        "<alice@" + "x." * 130 + "test>",
        "<alice@ex\x00ample.test>",
        "<al\tice@example.test>",
        '<"al\x01ice"@example.test>',
        '<"alice@example.test>',
        "<alice@bob@example.test>",
        "<alice@[192.0.2.256]>",
        "<alice@[192.0.2]>",
        "<alice@[192.0.2.1>",
        "<alice@[IPv6:12345::]>",
        "<alice@[]>",
        "<alice@xn\u2024\ufffd.test>",
        "<alice@\u200d.test>",
        "<@a,b:alice@example.test>",
        "<<alice@example.test>>",
    ],
)
def test_what_is_no_path_is_refused(wire: str) -> None:
    with pytest.raises(PeerError):
        parse_path(wire)


@given(LOCALPART, st.one_of(DOMAIN, IP))
def test_round_trip(localpart: str, domain: str) -> None:
    address = Address(localpart, domain)
    assert parse_mailbox(str(address)) == address
    assert parse_path(f"<{address}> X") == ((address, localpart.isascii()), " X")


@given(st.text(max_size=60))
def test_garbage_raises_peer_error_or_nothing(text: str) -> None:
    for wire in (text, f"<{text}>", f"<a@{text}>", f"<a@[{text}]>", f"<@{text}:a@b>"):
        try:
            path, _ = parse_path(wire, postmaster=True)
        except PeerError:
            continue
        if path.address is not None and path.address.domain:
            assert parse_mailbox(str(path.address)) == path.address


def test_a_long_hostile_path_takes_no_time() -> None:
    for wire in (
        "<" + "a." * 100_000,
        "<" + "@a," * 100_000,
        '<"' + "\\" * 100_000,
        "<a@" + "-" * 100_000,
        "<a@" + "\u00fc" * 100_000 + ">",
    ):
        with pytest.raises(PeerError):
            parse_path(wire)


def test_domains() -> None:
    assert parse_domain("MAIL.Example.TEST") == "mail.example.test"
    assert literal("2001:db8::1") == "[IPv6:2001:db8::1]"
    assert literal("192.0.2.1") == "[192.0.2.1]"
    assert literal("fe80::1%eth0") == "[IPv6:fe80::1]"
