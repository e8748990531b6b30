"""Address lists as RFC 5322 writes them, and as senders do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mime.addresses import GROUP_END, Address, Budget, parse_addresses

NO_MAILBOX, NO_DOMAIN = b"MISSING_MAILBOX", b"MISSING_DOMAIN"


def read(value: bytes, most: int = 100) -> list[Address]:
    return parse_addresses(value, Budget(most))


def at(local: bytes, domain: bytes, name: bytes | None = None, route: bytes | None = None):
    return Address(name, route, local, domain)


def group(name: bytes, *members: Address) -> list[Address]:
    return [Address(None, None, name, None), *members, GROUP_END]


@pytest.mark.rfc(5322, "3.4", "4.4", "A.1.2", "A.1.3", "A.5", "A.6.1")
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", []),
        (b" \r\n ", []),
        (b"joe@x", [at(b"joe", b"x")]),
        (b"<joe@x>", [at(b"joe", b"x")]),
        (
            b"Joe Q. Public <john.q.public@example.com>",
            [at(b"john.q.public", b"example.com", b"Joe Q. Public")],
        ),
        (
            b"Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
            [
                at(b"mary", b"x.test", b"Mary Smith"),
                at(b"jdoe", b"example.org"),
                at(b"one", b"y.test", b"Who?"),
            ],
        ),
        (
            b'<boss@nil.test>, "Giant; \\"Big\\" Box" <sysservices@example.net>',
            [at(b"boss", b"nil.test"), at(b"sysservices", b"example.net", b'Giant; "Big" Box')],
        ),
        (
            b"A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
            group(
                b"A Group",
                at(b"c", b"a.test", b"Ed Jones"),
                at(b"joe", b"where.test"),
                at(b"jdoe", b"one.test", b"John"),
            ),
        ),
        (b"Undisclosed recipients:;", group(b"Undisclosed recipients")),
        (b"a: x@y; , b:; , z@y", [*group(b"a", at(b"x", b"y")), *group(b"b"), at(b"z", b"y")]),
        (b'"a b"@c', [at(b"a b", b"c")]),
        (b'"a\\"b" <"c d"@e>', [at(b"c d", b"e", b'a"b')]),
        (b"x@[192.0.2.1]", [at(b"x", b"[192.0.2.1]")]),
        (b"<@a,@b:c@d>", [at(b"c", b"d", None, b"@a,@b")]),
        (b"Name <@a:c@d>", [at(b"c", b"d", b"Name", b"@a")]),
        (b"pete(his account)@silly.test(his host)", [at(b"pete", b"silly.test", b"his host")]),
        (b"joe@x (Joe (the one) Public)", [at(b"joe", b"x", b"Joe (the one) Public")]),
        (b"<joe@x> (not a name)", [at(b"joe", b"x")]),
        (b"(before) joe@x", [at(b"joe", b"x")]),
        (b"Joe (what) Public <joe@x>", [at(b"joe", b"x", b"Joe Public")]),
        (b"a . b @ c . d", [at(b"a.b", b"c.d")]),
        (b"Joe\r\n Public <joe@x>", [at(b"joe", b"x", b"Joe Public")]),
        (b'"" <joe@x>', [at(b"joe", b"x")]),
        (b"a@b,,  ,c@d,", [at(b"a", b"b"), at(b"c", b"d")]),  # §4.4: empty elements
    ],
)
def test_what_the_grammar_has(value, expected):
    assert read(value) == expected


@pytest.mark.rfc(7103, "7.1.1", "7.1.2", "7.1.3", "7.1.4", "7.1.5", "7.1.6", "7.1.7")
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"<@example.net:fran@example.com>", [at(b"fran", b"example.com", None, b"@example.net")]),
        (b"<<<user2@example.org>>>", [at(b"user2", b"example.org")]),
        (b"<another@example.net", [at(b"another", b"example.net")]),
        (b"second@example.org>", [at(b"second", b"example.org")]),
        (b"(Testing <fran@example.com>", [at(b"fran", b"example.com")]),
        (b"Testing) <sam@example.com>", [at(b"sam", b"example.com", b"Testing)")]),
        (
            b"<third@example.net, fourth@example.net>",
            [at(b"third", b"example.net"), at(b"fourth", b"example.net")],
        ),
        (b'"Joe <joe@example.com>', [at(b"joe", b"example.com", b"Joe")]),
        (b"Joe", [at(b"Joe", NO_DOMAIN)]),
        (b"Joe Public", [at(NO_MAILBOX, NO_DOMAIN, b"Joe Public")]),
        (b'"Joe"', [at(NO_MAILBOX, NO_DOMAIN, b"Joe")]),
        (b"<joe>", [at(b"joe", NO_DOMAIN)]),
        (b"Joe <>", [at(NO_MAILBOX, NO_DOMAIN, b"Joe")]),
        (b"joe@", [at(b"joe", NO_DOMAIN)]),
        (b"@example.org", [at(NO_MAILBOX, b"example.org")]),
        (b"a@b@c", [at(b"a@b", b"c")]),
        (b"a@b c@d", [at(b"a", b"b"), at(b"c", b"d")]),
        (b"<a@b> <c@d>", [at(b"a", b"b"), at(b"c", b"d")]),
        (b"Joe Public joe@x", [at(b"joe", b"x", b"Joe Public")]),
        (b"joe@x Joe Public", [at(b"joe", b"x")]),
        (b"joe@x <real@y>", [at(b"real", b"y", b"joe@x")]),
        (b"a@b; c@d", [at(b"a", b"b"), at(b"c", b"d")]),
        (b"g: h: a@b;;", group(b"g", at(b"a", b"b"))),
        (b"g: a@b", group(b"g", at(b"a", b"b"))),
        (b"\xe4 <\xf6@x>", [at(b"\xf6", b"x", b"\xe4")]),
        (b"a@b\\", [at(b"a", b"b")]),
        (b"[unclosed@x", [at(b"unclosed", b"x")]),
    ],
)
def test_what_senders_write_instead(value, expected):
    assert read(value) == expected


def test_the_budget_bounds_what_is_found():
    budget = Budget(3)
    assert len(parse_addresses(b"a@b, c@d", budget)) == 2
    assert len(parse_addresses(b"a@b, c@d", budget)) == 1
    assert parse_addresses(b"a@b, c@d", budget) == []
    assert read(b"g: a@b, (x) c@d, e@f;", 2) == group(b"g", at(b"a", b"b"))


ATOMS = st.text("abcXYZ019!#$%&'*+-/=?^_`{|}~", min_size=1, max_size=8).map(str.encode)
DOTTED = st.lists(ATOMS, min_size=1, max_size=3).map(b".".join)
NAMES = st.none() | st.text('ab Z.,;:<>@()"\\', min_size=1, max_size=10).map(str.encode)
MAILBOXES = st.builds(at, DOTTED, st.text("abc019-", min_size=1).map(str.encode), NAMES)


def write(address: Address) -> bytes:
    spec = b"%b@%b" % (address.mailbox, address.domain)
    if address.name is None:
        return spec
    escaped = address.name.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"%b" <%b>' % (escaped, spec)


@given(st.lists(MAILBOXES, max_size=5), st.sampled_from([b",", b" , ", b",\r\n\t", b", (x)"]))
def test_what_is_written_is_read(addresses, separator):
    assert read(separator.join(map(write, addresses))) == addresses


@given(
    st.text('a@.<>"(),;:\\[] \r\n=\xe4', max_size=60).map(lambda s: s.encode("latin1")),
    st.integers(0, 5),
)
def test_garbage_gives_something_within_bounds(value, most):
    found = read(value, most)
    assert len(found) <= most + 1  # a group is always closed
    assert found.count(GROUP_END) == len([a for a in found if a.domain is None]) / 2
    for address in found:
        for text in address:
            assert text is None or b"\r" not in text
