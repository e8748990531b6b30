"""What of a message leaves: groups, senders, prefixes, loops."""

import dataclasses

import pytest

from mailserver.base.ids import AccountId
from mailserver.base.limits import QueueLimits
from mailserver.mime.scan import derive
from mailserver.mta import srs
from mailserver.mta.leave import Departure, Envelope, leaving, loops
from mailserver.mta.nexthop import Hops
from mailserver.mta.route import Remote
from mailserver.smtp.address import Address, parse_mailbox
from mailserver.smtp.events import Recipient
from mailserver.store.queue_values import NewQueued, NewRecipient

KEY = b"k" * 32
NOW = 1_800_000_000
RAW = b"Return-Path: <a@b.example>\r\nSubject: x\r\n\r\nhi\r\n"
ANNA = parse_mailbox("a@b.example")
ALICE = Address("alice", "example.test")
TEAM = Address("team", "example.test")
X = parse_mailbox("x@elsewhere.test")
Y = parse_mailbox("y@other.test")

STRANGER = Envelope(
    "t1", None, ANNA, 28, len(RAW), False, False, False, "FULL", "e1", NOW, release_at=None
)
USER = dataclasses.replace(STRANGER, account=AccountId(7), sender=ALICE)


def leave(envelope: Envelope, *departures: Departure) -> list[tuple[NewQueued, list[NewRecipient]]]:
    found = leaving(envelope, departures, derive(RAW), Hops(), KEY, QueueLimits())
    return [(one.message, one.recipients) for one in found]


def test_what_users_name_is_one_message_with_all_they_asked_for() -> None:
    ((new, to),) = leave(
        USER,
        Departure(Remote(X), Recipient(X, "SUCCESS", "rfc822;x@y")),
        Departure(Remote(Y), Recipient(Y)),
    )
    assert (new.origin, new.account, new.sender) == ("submitted", 7, "alice@example.test")
    assert (new.prefix, new.skip, new.size) == (b"", 28, len(RAW) - 28)
    assert (new.ret, new.envid, new.notices_to) == ("FULL", "e1", None)
    assert to == [
        NewRecipient(
            "x@elsewhere.test", "elsewhere.test", "elsewhere.test", "rfc822;x@y", "SUCCESS"
        ),
        NewRecipient("y@other.test", "other.test", "other.test"),
    ]


@pytest.mark.rfc(3461, "5.2.7.4")
def test_each_address_that_passes_mail_on_has_its_own_message() -> None:
    found = leave(
        STRANGER,
        Departure(Remote(X, TEAM, None, "postmaster@example.test")),
        Departure(Remote(Y, TEAM, None, "postmaster@example.test")),
        Departure(Remote(parse_mailbox("me@home.test"), ALICE, AccountId(7), "alice@example.test")),
    )
    assert [(len(to), new.account, new.notices_to, new.prefix) for new, to in found] == [
        (2, None, "postmaster@example.test", b"Delivered-To: team@example.test\r\n"),
        (1, 7, "alice@example.test", b"Delivered-To: alice@example.test\r\n"),
    ]
    for new, _ in found:
        assert (new.origin, new.ret, new.envid) == ("forwarded", "", "")
        assert new.size == len(new.prefix) + len(RAW) - 28
        sender = parse_mailbox(new.sender)
        assert srs.restore(sender.localpart, KEY, NOW) == ANNA
        assert sender.domain == "example.test"


def test_times_begin_with_the_release() -> None:
    limits = QueueLimits()
    ((new, _),) = leave(
        dataclasses.replace(USER, release_at=NOW + 100), Departure(Remote(X), Recipient(X))
    )
    assert new.release_at == NOW + 100
    assert new.expires_at == NOW + 100 + limits.expire_s
    assert new.warn_at == NOW + 100 + limits.warn_after_s


@pytest.mark.rfc(6531, "3.5")
def test_addresses_beyond_ascii_need_smtputf8_and_what_we_add_does_not() -> None:
    ((new, _),) = leave(STRANGER, Departure(Remote(parse_mailbox("ü@elsewhere.test"), TEAM)))
    assert new.is_utf8
    ((new, _),) = leave(STRANGER, Departure(Remote(X, Address("Müller", "example.test"))))
    assert not new.is_utf8
    assert new.prefix == b"Delivered-To: m%c3%bcller@example.test\r\n"


@pytest.mark.rfc(9228, "4")
@pytest.mark.parametrize(
    ("header", "forwarder", "is_loop"),
    [
        (b"Delivered-To: team@example.test\r\n", TEAM, True),
        (b"A: b\r\ndelivered-to :\r\n\t<TEAM@example.TEST>\r\n", TEAM, True),
        (b"Delivered-To: m%C3%BCller@example.test\r\n", Address("müller", "example.test"), True),
        (b"Delivered-To: team@example.test.evil\r\n", TEAM, False),
        (b"Delivered-To: team+x@example.test\r\n", TEAM, False),
        (b"X-Delivered-To: team@example.test\r\n", TEAM, False),
        (b"Subject: x\r\n\tDelivered-To: team@example.test\r\n", TEAM, False),
        (b"Delivered-To: \xff\r\nDelivered-To:\r\nDelivered-To", TEAM, False),
        (b"Delivered-To: team@example.test\r\n", None, False),
        (b"", TEAM, False),
    ],
)
def test_loops(header: bytes, forwarder: Address | None, is_loop: bool) -> None:
    found = loops(header, [Departure(Remote(Y)), Departure(Remote(X, forwarder))])
    assert (found is not None) is is_loop
