"""Which next hop takes a message."""

import pytest

from mailserver.base.errors import Cannot
from mailserver.mta.nexthop import REJECT, Hops, choose, hop

HOPS = Hops(
    routes={
        "exact.example": "smtp:exact.test:25",
        ".below.example": "lmtp:below.test:24",
        ".deep.below.example": "smtp:deep.test:25",
        "direct.example": "mx",
        "never.example": "reject",
        "[192.0.2.7]": "smtp:literal.test:25",
    },
    smarthosts={"ours.example": "smtp:ours-hub.test:587"},
    smarthost="smtp:hub.test:587",
)


@pytest.mark.parametrize(
    ("sender", "domain", "destination"),
    [
        ("a@ours.example", "exact.example", "smtp:exact.test:25"),
        ("a@ours.example", "x.exact.example", "smtp:ours-hub.test:587"),
        ("a@ours.example", "x.below.example", "lmtp:below.test:24"),
        ("a@ours.example", "x.y.below.example", "lmtp:below.test:24"),
        ("a@ours.example", "x.deep.below.example", "smtp:deep.test:25"),
        ("a@ours.example", "below.example", "smtp:ours-hub.test:587"),
        ("a@ours.example", "direct.example", "direct.example"),
        ("a@ours.example", "never.example", REJECT),
        ("a@ours.example", "any.example", "smtp:ours-hub.test:587"),
        ("a@other.example", "any.example", "smtp:hub.test:587"),
        ("", "any.example", "smtp:hub.test:587"),
        ("", "[192.0.2.7]", "smtp:literal.test:25"),
        ("", "[192.0.2.8]", "smtp:hub.test:587"),
    ],
)
def test_precedence(sender: str, domain: str, destination: str) -> None:
    assert choose(HOPS, sender, domain) == destination


@pytest.mark.rfc(5321, "5.1")
def test_without_routes_by_its_mx() -> None:
    assert choose(Hops(), "a@ours.example", "any.example") == "any.example"
    assert choose(Hops(), "a@ours.example", "[192.0.2.8]") == "[192.0.2.8]"


def test_the_route_of_everything_comes_before_the_configuration_and_after_the_senders() -> None:
    hops = Hops({"*": "smtp:all.test:25"}, HOPS.smarthosts, HOPS.smarthost)
    assert choose(hops, "a@other.example", "any.example") == "smtp:all.test:25"
    assert choose(hops, "a@ours.example", "any.example") == "smtp:ours-hub.test:587"
    direct = Hops({"*": "mx"}, {}, HOPS.smarthost)
    assert choose(direct, "a@other.example", "any.example") == "any.example"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("smtp:Mail.Example:25", "smtp:mail.example:25"),
        (" lmtp:127.0.0.1:0024 ", "lmtp:127.0.0.1:24"),
        ("smtp:[2001:DB8::1]:587", "smtp:[2001:db8::1]:587"),
        ("smtp:hub:65535", "smtp:hub:65535"),
    ],
)
def test_hops_have_one_spelling(text: str, name: str) -> None:
    assert hop(text) == name
    assert hop(name) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mail.example",
        "mail.example:25",
        "smtp:mail.example",
        "smtp:x:0",
        "smtp:x:65536",
        "smtp::25",
        "http:x:80",
        "smtp:x y:25",
        "smtp:-x:25",
        "smtp:2001:db8::1:25",
        "smtp:x:25\n2",
    ],
)
def test_hops_that_are_none(text: str) -> None:
    with pytest.raises(Cannot, match="expected smtp:HOST:PORT"):
        hop(text)


def test_mail_for_a_backup_domain_goes_to_its_primary_and_to_no_smarthost() -> None:
    hops = Hops(
        {"*": "smtp:all.test:25", "routed.example": "smtp:primary.test:25"},
        HOPS.smarthosts,
        HOPS.smarthost,
        frozenset({"backup.example", "routed.example"}),
    )
    assert choose(hops, "a@ours.example", "backup.example") == "backup.example"
    assert choose(hops, "a@ours.example", "routed.example") == "smtp:primary.test:25"
