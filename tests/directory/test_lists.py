"""Entries as people write them, lists as filters ask for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import Cannot
from mailserver.directory import accounts, contacts
from mailserver.directory.addresses import parse
from mailserver.directory.lists import AccountLists, addresses_in, candidates, entry
from mailserver.store.scripts import Owner


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Bob@Example.ORG", "bob@example.org"),
        ("example.org", "@example.org"),
        ("@Example.org", "@example.org"),
        ("*@example.org", "@example.org"),
        (".example.org", "@.example.org"),
        ("*.example.org", "@.example.org"),
        ("@*.example.org", "@.example.org"),
        ("@MÜNCHEN.example", "@xn--mnchen-3ya.example"),
        ("jörg@münchen.example", "jörg@xn--mnchen-3ya.example"),
    ],
)
def test_senders(typed, kept):
    assert entry("block", typed) == kept
    assert entry("allow", kept) == kept


@pytest.mark.parametrize("typed", ["", "a b@c d", "bob@", "bob@@x.test", "no domain!"])
def test_no_senders(typed):
    with pytest.raises(Cannot):
        entry("block", typed)


def test_other_lists_take_any_text():
    assert entry("holidays", "2026-12-25") == "2026-12-25"
    assert entry("words", "  Grüße  AN\tAlle ") == "grüße an alle".replace("ß", "ss")
    assert entry("words", "me @ work") == "me @ work"
    with pytest.raises(Cannot):
        entry("words", "a\0b")


@pytest.mark.rfc(6134, "2.2")
def test_candidates():
    assert candidates(" Bob@A.b.Example ") == [
        "bob@a.b.example",
        "@a.b.example",
        "@.b.example",
        "@.example",
    ]
    found = candidates('"Bob, B." <bob@x.test>, carol@y.test')
    assert {"bob@x.test", "@y.test"} <= set(found)
    assert candidates("2026-12-25") == ["2026-12-25"]


@given(st.text(max_size=300))
def test_candidates_of_anything(value):
    found = candidates(value)
    assert found
    assert len(found) <= 50_000


@given(st.sampled_from(["block", "words"]), st.text(max_size=100))
def test_entries_match_themselves(name, text):
    try:
        kept = entry(name, text)
    except Cannot:
        return
    if kept and not kept.startswith("@"):
        assert kept in candidates(kept)


@pytest.mark.rfc(4151, "2.1")
@pytest.mark.rfc(6134, "2.5", "2.7")
def test_whose_lists(store):
    def fill(tx):
        alice = accounts.at(tx, parse("alice@example.test"))
        bob = accounts.at(tx, parse("bob@example.test"))
        tx.lists.add(Owner(account=alice.id), "friends", ["a@x.test"])
        tx.lists.add(Owner(account=bob.id), "friends", ["b@x.test"])
        tx.lists.add(Owner(domain=alice.domain_id), "friends", ["c@x.test", "@d.test"])
        tx.lists.add(Owner(), "friends", ["e@x.test"])
        tx.lists.add(Owner(account=bob.id), "his", ["b@x.test"])
        return alice

    alice = store.write_now(fill)

    def ask(tx):
        lists = AccountLists(tx, alice)
        all_, own, domain = (
            f"tag:{who},2026:friends"
            for who in ("mailserver", "Alice@example.test", "example.test")
        )
        assert all(map(lists.is_known, (all_, own, domain, "tag:mailserver,2026-01-31:friends")))
        assert lists.members(all_, 10) == ("a@x.test", "@d.test", "c@x.test", "e@x.test")
        assert lists.members(all_, 2) == ("a@x.test", "@d.test")
        assert lists.members(own, 10) == ("a@x.test",)
        assert lists.find(all_, ["z@x.test", "Bob <x@d.test>"]) == "@d.test"
        assert lists.find(domain, ["a@x.test"]) is None
        for known in ("block", "allow"):
            assert lists.is_known(f"tag:mailserver,2026:{known}")
            assert lists.find(f"tag:mailserver,2026:{known}", ["a@x.test"]) is None
        for unknown in (
            "tag:bob@example.test,2026:friends",
            "tag:bob@example.test,2026:block",
            "tag:mailserver,2026:his",
            "tag:other.test,2026:friends",
            "tag:mailserver,26:friends",
            "friends",
            "",
            "http://x.test/",
        ):
            assert not lists.is_known(unknown)
            assert lists.find(unknown, ["b@x.test"]) is None

    store.read_now(ask)


@given(st.text(max_size=300))
def test_addresses_in_anything(value):
    assert set(addresses_in(value)) <= set(candidates(value))


def test_addresses_in_header_fields():
    assert addresses_in(" Bob@MÜNCHEN.example ") == ["bob@xn--mnchen-3ya.example"]
    found = addresses_in('"Bob, B." <bob@x.test>, carol@y.test')
    assert {"bob@x.test", "carol@y.test"} <= set(found)
    assert addresses_in("nobody") == []


@pytest.mark.rfc(6134, "2.2", "2.6", "2.7")
def test_address_books(store):
    default = "urn:ietf:params:sieve:addrbook:default"
    ours = "urn:ietf:params:sieve:addrbook:Öffentlich"

    def alice(tx):
        return accounts.at(tx, parse("alice@example.test"))

    def ask(tx):
        return AccountLists(tx, alice(tx))

    def fill(tx):
        for name, whose, address in (
            ("", "alice", "Bob@München.example"),
            ("Öffentlich", "alice", "carol@x.test"),
            ("Secret", "bob", "dave@x.test"),
        ):
            account = accounts.at(tx, parse(f"{whose}@example.test"))
            book = tx.contacts.make(account.id, name)
            contacts.add(tx, account, book, parse(address), "", f"uid {address}")

    assert store.read_now(lambda tx: ask(tx).is_known(default))
    assert store.read_now(lambda tx: ask(tx).find(default, ["bob@münchen.example"])) is None
    assert store.read_now(lambda tx: ask(tx).members(default, 5)) == ()
    store.write_now(fill)
    found = store.read_now(lambda tx: ask(tx).find(default, ["x", "BOB@xn--mnchen-3ya.example"]))
    assert found == "bob@xn--mnchen-3ya.example"
    assert store.read_now(lambda tx: ask(tx).find(default, ["carol@x.test", "@x.test"])) is None
    for name in (ours, ours.replace("Ö", "O\u0308")):
        assert store.read_now(lambda tx, n=name: ask(tx).is_known(n))
        assert store.read_now(lambda tx, n=name: ask(tx).members(n, 5)) == ["carol@x.test"]
        field = ["Carol <carol@x.test>"]
        assert store.read_now(lambda tx, n=name, f=field: ask(tx).find(n, f)) == "carol@x.test"
    for name in ("Secret", "öffentlich", ""):
        unknown = f"urn:ietf:params:sieve:addrbook:{name}"
        assert not store.read_now(lambda tx, n=unknown: ask(tx).is_known(n))
