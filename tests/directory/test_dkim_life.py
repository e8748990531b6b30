"""The life of a signing key: what follows what, and that nothing is used before the DNS shows it."""

import pytest

from mailserver.base.errors import AlreadyExists, Cannot, Corrupt
from mailserver.directory import dkim_keys, dkim_life
from mailserver.directory.dkim_life import Life
from mailserver.directory.domains import check_oversign
from mailserver.directory.seal import Seal
from mailserver.directory.signing import signatory
from mailserver.store.dkim_keys import ACTIVE, ED25519, PENDING, RETIRED, RETIRING, RSA, DkimKey
from mailserver.store.store import Store

SEAL = Seal(b"k" * 32)
LIFE = Life(publish_s=100, overlap_s=1_000, rotate_s=10_000)
NOW = 1_795_000_000


def key(id, state, algorithm=RSA, seen_at=None, active_at=None, retiring_at=None):
    return DkimKey(
        id, 1, "example.test", f"s{id}", algorithm, 2048, b"public", b"sealed", state, NOW - 5_000,
        seen_at, active_at, retiring_at, None,
    )  # fmt: skip


def states(steps):
    return [(step.key.id, step.state) for step in steps]


def test_a_key_is_used_when_the_dns_has_shown_it_for_long_enough():
    old, new = key(1, ACTIVE), key(2, PENDING)
    assert not dkim_life.steps([old, new], NOW, LIFE)
    just_seen = new._replace(seen_at=NOW - 99)
    assert not dkim_life.steps([old, just_seen], NOW, LIFE)
    assert states(dkim_life.steps([old, just_seen], NOW + 1, LIFE)) == [(2, ACTIVE), (1, RETIRING)]


def test_an_old_key_is_erased_only_after_the_overlap():
    leaving = key(1, RETIRING, retiring_at=NOW - 999)
    assert not dkim_life.steps([leaving], NOW, LIFE)
    assert states(dkim_life.steps([leaving], NOW + 1, LIFE)) == [(1, RETIRED)]


def test_kinds_do_not_replace_each_other():
    rsa, other = key(1, ACTIVE), key(2, ACTIVE, ED25519)
    new = key(3, PENDING, seen_at=NOW - 100)
    assert states(dkim_life.steps([rsa, other, new], NOW, LIFE)) == [(3, ACTIVE), (1, RETIRING)]


def test_of_two_that_wait_the_newer_one_is_used_and_the_older_one_is_over():
    first, second = key(1, PENDING, seen_at=NOW - 200), key(2, PENDING, seen_at=NOW - 100)
    assert states(dkim_life.steps([first, second], NOW, LIFE)) == [(2, ACTIVE), (1, RETIRED)]
    unseen = second._replace(seen_at=None)
    assert states(dkim_life.steps([first, unseen], NOW, LIFE)) == [(1, ACTIVE)]


def test_successors_are_made_of_what_is_old_and_has_none():
    assert dkim_life.wanted([], NOW, LIFE) == [RSA, ED25519]
    assert dkim_life.wanted([key(1, RETIRING)], NOW, LIFE) == [RSA, ED25519]
    keys = [key(1, ACTIVE, active_at=NOW - 10_000), key(2, ACTIVE, ED25519, active_at=NOW - 1)]
    assert dkim_life.wanted(keys, NOW, LIFE) == [RSA]
    assert dkim_life.wanted([*keys, key(3, PENDING)], NOW, LIFE) == []
    assert dkim_life.wanted(keys, NOW, Life()) == []  # as long as nobody asked for rotation


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path)
    store.open()
    yield store
    store.close()


def test_a_whole_life(store):
    """Made with the domain, replaced, forgotten; no selector twice, no private part left."""
    domain = store.write_now(lambda tx: tx.domains.add("example.test"))
    first = dkim_life.make("example.test", [], [RSA, ED25519], SEAL, NOW, LIFE)
    assert [one.selector for one in first] == ["20261118r", "20261118e"]
    made = store.write_now(lambda tx: dkim_life.put(tx, domain, first))
    assert [one.state for one in made] == [ACTIVE, ACTIVE]
    with pytest.raises(AlreadyExists):
        store.write_now(lambda tx: dkim_life.put(tx, domain, first[:1]))

    second = dkim_life.make("example.test", made, [RSA], SEAL, NOW, LIFE)
    assert second[0].selector == "20261118r2"
    (waiting,) = store.write_now(lambda tx: dkim_life.put(tx, domain, second))
    assert waiting.state == PENDING
    store.write_now(
        lambda tx: dkim_life.apply(tx, dkim_life.switch(tx.dkim_keys.of(domain.id), waiting))
    )
    now = {one.selector: one.state for one in store.read_now(lambda tx: tx.dkim_keys.all())}
    assert now == {"20261118r": RETIRING, "20261118e": ACTIVE, "20261118r2": ACTIVE}

    gone = store.write_now(lambda tx: tx.dkim_keys.move(made[0].id, RETIRED))
    assert gone.sealed is None
    with pytest.raises(Corrupt, match="no private part"):
        dkim_keys.opened(gone, SEAL)
    store.write_now(lambda tx: tx.domains.remove(domain.id))
    assert store.read_now(lambda tx: tx.dkim_keys.all()) == []


def test_sealed_for_one_place(store):
    """What is sealed for one selector does not open as another, nor with another seal."""
    domain = store.write_now(lambda tx: tx.domains.add("example.test"))
    (made,) = store.write_now(
        lambda tx: dkim_life.put(tx, domain, dkim_life.make("example.test", [], [ED25519], SEAL, NOW, LIFE))
    )  # fmt: skip
    assert dkim_keys.opened(made, SEAL)
    assert dkim_keys.read_pem(dkim_keys.pem(made, SEAL).encode()).public == made.public
    for wrong in (made._replace(selector="other"), made._replace(domain="b.test")):
        with pytest.raises(Corrupt):
            dkim_keys.opened(wrong, SEAL)
    with pytest.raises(Corrupt):
        dkim_keys.opened(made, Seal(b"x" * 32))


@pytest.mark.rfc(6376, "3.6.1")
@pytest.mark.rfc(8463, "4")
def test_records():
    """The record of an Ed25519 key holds its 32 octets, that of an RSA key a SubjectPublicKeyInfo."""
    pair = dkim_keys.generate(ED25519)
    assert len(pair.public) == 32
    assert dkim_keys.generate(RSA).public.startswith(b"\x30\x82\x01\x22")
    row = key(1, ACTIVE, ED25519)._replace(public=b"\0" * 32)
    assert dkim_keys.record(row) == f"v=DKIM1; k=ed25519; p={'A' * 43}="


@pytest.mark.parametrize("text", ["", ".", "a..b", "-a", "a b", "ä", "a" * 64, "a." * 120])
def test_selectors_that_are_none(text):
    with pytest.raises(Cannot):
        dkim_keys.check_selector(text)


@pytest.mark.parametrize("text", ["mail2024", "Brisbane.Example", "s_1", "20261122r"])
def test_selectors(text):
    assert dkim_keys.check_selector(text) == text.lower()


@pytest.mark.parametrize(
    "data",
    [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"],
)
def test_files_without_a_key(data):
    with pytest.raises(Cannot):
        dkim_keys.read_pem(data)


@pytest.mark.rfc(6376, "5.4")
@pytest.mark.parametrize(
    "text", ["subject", "from,received", "from,a:b", "from,", "from,dkim-signature"]
)
def test_fields_that_cannot_be_oversigned(text):
    with pytest.raises(Cannot):
        check_oversign(text)


@pytest.mark.rfc(8616, "5")
@pytest.mark.parametrize(
    ("author", "signs"),
    [
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("brand.test", "brand.test"),
        ("sub.brand.test", "sub.brand.test is not ours"),
        ("mail.brand.test", "brand.test"),  # our own host
        ("a.b.wide.test", "wide.test"),
        ("backup.test", "backup.test does not sign"),
        ("off.test", "off.test does not sign"),
        ("elsewhere.test", "elsewhere.test is not ours"),
        ("[192.0.2.1]", "the author's address has no domain"),
        ("", "the author's address has no domain"),
    ],
)
def test_who_signs_for_whom(store, author, signs):
    def make(tx):
        for name in ("xn--bcher-kva.example", "brand.test", "wide.test", "backup.test", "off.test"):
            tx.domains.add(name)
        tx.domains.set(tx.domains.by_name("wide.test").id, has_subdomains=True)
        tx.domains.set(tx.domains.by_name("backup.test").id, is_backup=True)
        tx.domains.set(tx.domains.by_name("off.test").id, dkim="off")

    store.write_now(make)
    found = store.read_now(lambda tx: signatory(tx, author, "mail.brand.test"))
    assert (found if isinstance(found, str) else found.domain.name) == signs
