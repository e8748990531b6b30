"""Cards on their way into address books."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import AlreadyExists, Cannot, NotFound, PeerError
from mailserver.base.limits import ContactLimits
from mailserver.directory import accounts, contacts
from mailserver.directory.addresses import parse
from mailserver.ical import vcard

LIMITS = ContactLimits()
CARD = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Bob\r\nEMAIL:Bob@X.test\r\nEMAIL:not one\r\nEND:VCARD\r\n"


def test_a_card_without_a_uid_is_given_one_that_stays():
    one, again = contacts.card_of(CARD, LIMITS), contacts.card_of(CARD, LIMITS)
    other = contacts.card_of(CARD.replace(b"Bob", b"Bo"), LIMITS)
    assert one == again
    assert one.uid != other.uid
    assert one.addresses == ["bob@x.test"]
    assert vcard.read(one.vcard, LIMITS).uid == one.uid
    assert one.vcard.replace(b"UID:%s\r\n" % one.uid.encode(), b"") == CARD


def test_a_card_with_a_uid_stays_as_it_is():
    octets = CARD.replace(b"FN:", b"X-ANY;P=1: thing\r\nUID:u-1\r\nFN:")
    assert contacts.card_of(octets, LIMITS)[-1] == octets
    assert contacts.card_of(octets, LIMITS).uid == "u-1"


@given(st.binary(max_size=200))
def test_anything_is_refused_or_a_card(octets):
    with contextlib.suppress(PeerError):
        contacts.card_of(b"BEGIN:VCARD\nVERSION:2.1\n" + octets + b"\nEND:VCARD\n", LIMITS)


def test_adding_and_naming(store):
    def job(tx):
        alice = accounts.at(tx, parse("alice@example.test"))
        book = tx.contacts.make(alice.id)
        card = contacts.add(tx, alice, book, parse("Bob@X.test"), "Bob; B.", "u1")
        assert vcard.read(card.vcard, LIMITS).name == "Bob; B."
        with pytest.raises(AlreadyExists, match=r"bob@x.test is in Contacts of alice"):
            contacts.add(tx, alice, book, parse("bob@x.test"), "", "u2")
        with pytest.raises(Cannot):
            contacts.add(tx, alice, book, parse("c@x.test"), "a\nb", "u2")
        assert contacts.named(tx, book, "BOB@x.test") == contacts.named(tx, book, "u1")
        tx.contacts.put(book, card._replace(uid="u3"))
        with pytest.raises(Cannot, match="2 cards have"):
            contacts.named(tx, book, "bob@x.test")
        for text in ("", "nobody", "c@x.test"):
            with pytest.raises(NotFound):
                contacts.named(tx, book, text)

    store.write_now(job)
