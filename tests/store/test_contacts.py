"""Address books and cards."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mailserver.base.errors import Cannot, LimitReached, NotFound, OverQuota
from mailserver.base.limits import ContactLimits
from mailserver.store.contacts import AddressBook, NewCard, Put
from mailserver.store.store import StoreOptions
from store.world import NOW, World


def bob(uid: str = "u1", *addresses: str, name: str = "Bob", vcard: bytes = b"VCARD") -> NewCard:
    return NewCard(uid, name, "individual", addresses or ("bob@x.test",), vcard)


def put(world: World, card: NewCard, name: str = "") -> Put:
    return world.store.write_now(
        lambda tx: tx.contacts.put(tx.contacts.make(world.alice.id, name), card)
    )


def book(world: World, name: str = "") -> AddressBook:
    return world.store.read_now(lambda tx: tx.contacts.get(world.alice.id, name))


def modseq(world: World) -> int:
    return world.store.read_now(lambda tx: tx.accounts.modseqs([world.alice.id]))[world.alice.id]


@pytest.mark.rfc(6352, "5.1", "5.2")
def test_a_card_is_put_found_changed_and_taken(world: World) -> None:
    read, write = world.store.read_now, world.store.write_now
    with pytest.raises(NotFound):
        book(world)
    assert put(world, bob("u1", "bob@x.test", "b@y.test", "bob@x.test")) is Put.NEW
    first = book(world)
    assert (first.name, first.is_default, first.cards, first.size) == ("Contacts", True, 1, 5)
    assert first.modseq == modseq(world)
    assert put(world, bob("u1", "c@z.test")) is Put.SAME  # the octets are the same
    assert modseq(world) == first.modseq
    assert put(world, bob("u1", "c@z.test", name="Ägir", vcard=b"VCARD 2")) is Put.CHANGED
    assert book(world).modseq == modseq(world) > first.modseq
    (card,) = read(lambda tx: tx.contacts.cards(first.id))
    assert (card.name, card.addresses, card.size) == ("Ägir", ("c@z.test",), 7)
    assert (card.modseq, card.changed_at) == (modseq(world), NOW)
    assert read(lambda tx: tx.contacts.vcard(card.id)) == b"VCARD 2"
    assert read(lambda tx: tx.contacts.with_uid(first.id, "u1")) == card.id
    assert read(lambda tx: tx.contacts.match(first.id, ["a@b.test", "c@z.test"])) == "c@z.test"
    assert read(lambda tx: tx.contacts.match(first.id, ["bob@x.test"])) is None
    write(lambda tx: tx.contacts.take(first, card.id))
    assert (book(world).cards, book(world).size, book(world).modseq) == (0, 0, modseq(world))
    with pytest.raises(NotFound):
        write(lambda tx: tx.contacts.take(first, card.id))
    with pytest.raises(NotFound):
        read(lambda tx: tx.contacts.vcard(card.id))
    assert put(world, bob()) is Put.NEW


def test_books_keep_apart(world: World) -> None:
    put(world, bob())
    put(world, bob("u1", "carol@x.test"), "Family")
    read = world.store.read_now
    family = book(world, "Family")
    assert [b.name for b in read(lambda tx: tx.contacts.books(world.alice.id))] == [
        "Contacts",
        "Family",
    ]
    assert read(lambda tx: tx.contacts.members(family.id, 10)) == ["carol@x.test"]
    assert read(lambda tx: tx.contacts.with_address(family.id, "bob@x.test")) == []
    (card,) = read(lambda tx: tx.contacts.cards(family.id))
    with pytest.raises(NotFound):
        world.store.write_now(lambda tx: tx.contacts.take(book_of(tx, world), card.id))


def book_of(tx, world: World) -> AddressBook:
    return tx.contacts.get(world.alice.id, "")


def test_lists_are_sorted_and_paged(world: World) -> None:
    for n, name in enumerate(("bob", "Anna", "anna", "Zoë", "Ünal")):
        put(world, bob(f"u{n}", f"p{n}@x.test", name=name, vcard=name.encode()))
    id_ = book(world).id
    read = world.store.read_now
    first = read(lambda tx: tx.contacts.cards(id_, most=2))
    rest = read(lambda tx: tx.contacts.cards(id_, after=(first[-1].name, first[-1].id)))
    assert [c.name for c in first + rest] == ["Anna", "anna", "bob", "Zoë", "Ünal"]
    assert [c.name for c in read(lambda tx: tx.contacts.cards(id_, "*NN*"))] == ["Anna", "anna"]
    assert [c.name for c in read(lambda tx: tx.contacts.cards(id_, "p3@*"))] == ["Zoë"]


def test_names_of_books(world: World) -> None:
    write = world.store.write_now
    write(lambda tx: tx.contacts.make(world.alice.id, "Contacts"))
    assert write(lambda tx: tx.contacts.make(world.alice.id)).name == "Contacts 2"
    for name in ("a\nb", "x" * 201, "Default"):
        with pytest.raises(Cannot):
            write(lambda tx, n=name: tx.contacts.make(world.alice.id, n))
    with pytest.raises(NotFound):
        write(lambda tx: tx.contacts.remove(world.alice.id, "nosuch"))


def test_bounds(tmp_path) -> None:
    limits = ContactLimits(books=2, cards=2, size=20)
    world = World(tmp_path / "data", StoreOptions(contacts=limits))
    put(world, bob("u1"))
    put(world, bob("u2"))
    with pytest.raises(LimitReached):
        put(world, bob("u3"))
    assert put(world, bob("u2", vcard=b"0123456789")) is Put.CHANGED
    put(world, bob("u1", vcard=b"01234"), "B")
    with pytest.raises(OverQuota):
        put(world, bob("u2", vcard=b"0"), "B")
    assert put(world, bob("u2", vcard=b"1")) is Put.CHANGED
    with pytest.raises(LimitReached):
        world.store.write_now(lambda tx: tx.contacts.make(world.alice.id, "C"))
    assert world.store.read_now(lambda tx: tx.verify.problems()) == []
    world.close()


def test_a_removed_book_is_purged_and_its_name_is_free(world: World) -> None:
    for n in range(120):
        put(world, bob(f"u{n}", vcard=b"%d" % n), "Old")
    old = book(world, "Old")
    world.store.write_now(lambda tx: tx.contacts.take(old, tx.contacts.cards(old.id)[0].id))
    world.store.write_now(lambda tx: tx.contacts.remove(world.alice.id, "Old"))
    assert world.store.read_now(lambda tx: tx.contacts.find(world.alice.id, "Old")) is None
    again = world.store.write_now(lambda tx: tx.contacts.make(world.alice.id, "Old"))
    assert again.cards == 0
    purged(world)
    assert world.store.read_now(lambda tx: tx.contacts.cards(old.id)) == []


def purged(world: World) -> None:
    while world.store.write_now(lambda tx: tx.purge.some(7)):
        pass
    assert not world.store.read_now(lambda tx: tx.purge.is_needed())
    assert world.store.read_now(lambda tx: tx.verify.problems()) == []


def test_an_account_goes_with_its_books(world: World) -> None:
    for n in range(60):
        put(world, bob(f"u{n}"))
    book_ = book(world)
    world.store.write_now(lambda tx: tx.accounts.remove(world.alice.id))
    with pytest.raises(NotFound):
        put(world, bob())
    purged(world)
    assert world.store.read_now(lambda tx: tx.contacts.cards(book_.id)) == []


class Machine(RuleBasedStateMachine):
    """Cards are put and taken, and the change log says what became of them."""

    folder = None

    def __init__(self) -> None:
        super().__init__()
        self.cards: dict[str, bytes] = {}
        Machine.count = getattr(Machine, "count", 0) + 1
        self.world = World(Machine.folder / str(Machine.count))
        self.book = self.world.store.write_now(lambda tx: tx.contacts.make(self.world.alice.id, ""))

    def teardown(self) -> None:
        self.world.close()

    @rule(uid=st.sampled_from("abc"), octets=st.sampled_from([b"1", b"22", b"333"]))
    def put(self, uid: str, octets: bytes) -> None:
        was = self.cards.get(uid)
        done = put(self.world, bob(uid, f"{uid}@x.test", vcard=octets))
        expected = Put.NEW if was is None else Put.SAME if was == octets else Put.CHANGED
        assert done is expected
        self.cards[uid] = octets

    @precondition(lambda self: self.cards)
    @rule(data=st.data())
    def take(self, data: st.DataObject) -> None:
        uid = data.draw(st.sampled_from(sorted(self.cards)))
        before = modseq(self.world)
        self.world.store.write_now(
            lambda tx: tx.contacts.take(self.book, tx.contacts.with_uid(self.book.id, uid))
        )
        assert modseq(self.world) == before + 1
        del self.cards[uid]

    @invariant()
    def all_is_well(self) -> None:
        read = self.world.store.read_now
        found = read(lambda tx: tx.contacts.cards(self.book.id))
        octets = {c.uid: read(lambda tx, c=c: tx.contacts.vcard(c.id)) for c in found}
        assert octets == self.cards
        assert read(lambda tx: tx.verify.problems()) == []


def test_machine(tmp_path) -> None:
    Machine.folder = tmp_path

    class Limited(Machine.TestCase):
        settings = settings(max_examples=6, stateful_step_count=15, deadline=None)

    Limited("runTest").runTest()
