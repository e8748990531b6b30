import pytest

from mailserver.base.errors import AlreadyExists, Cannot, InUse, LimitReached, NotFound
from mailserver.base.ids import AccountId, AliasId, DomainId
from mailserver.store.values import Changes
from store.world import NOW, World


def test_domains(world: World) -> None:
    store = world.store
    added = store.write_now(lambda tx: tx.domains.add("b.test", quota=5, separators="+-"))
    assert (added.name, added.quota, added.separators, added.is_active, added.created_at) == (
        "b.test",
        5,
        "+-",
        True,
        NOW,
    )
    assert added.blob_threshold == 131_072
    with pytest.raises(AlreadyExists):
        store.write_now(lambda tx: tx.domains.add("b.test"))
    changed = store.write_now(
        lambda tx: tx.domains.set(added.id, is_active=False, catch_all="x@b.test", quota=None)
    )
    assert changed == added._replace(is_active=False, catch_all="x@b.test", quota=None)
    assert store.read_now(lambda tx: tx.domains.by_name("b.test")) == changed
    assert [d.name for d in store.read_now(lambda tx: tx.domains.list())] == [
        "b.test",
        "example.test",
    ]
    with pytest.raises(InUse):
        store.write_now(lambda tx: tx.domains.remove(world.alice.domain_id))
    store.write_now(lambda tx: tx.aliases.add(added.id, "a", ["b@b.test"]))
    store.write_now(lambda tx: tx.domains.remove(added.id))
    for gone in (
        lambda tx: tx.domains.by_name("b.test"),
        lambda tx: tx.domains.get(added.id),
        lambda tx: tx.domains.set(added.id, quota=1),
        lambda tx: tx.domains.remove(added.id),
    ):
        with pytest.raises(NotFound):
            store.write_now(gone)


def test_accounts(world: World) -> None:
    store, domain = world.store, world.alice.domain_id
    bob = store.write_now(lambda tx: tx.accounts.add(domain, "bob", "h", name="Bob", quota=7))
    assert (bob.address, bob.name, bob.quota, bob.own_quota, bob.created_at) == (
        "bob@example.test",
        "Bob",
        7,
        7,
        NOW,
    )
    assert store.read_now(lambda tx: tx.accounts.by_address("bob", "example.test")) == bob
    assert store.read_now(lambda tx: tx.accounts.by_address("Bob", "example.test")) is None
    with pytest.raises(AlreadyExists):
        store.write_now(lambda tx: tx.accounts.add(domain, "bob", "h"))
    with pytest.raises(NotFound):
        store.write_now(lambda tx: tx.accounts.add(DomainId(99), "bob", "h"))
    for page, expected in (
        ({"limit": 1}, ["alice"]),
        ({"after": world.alice.id}, ["bob"]),
        ({"domain": domain}, ["alice", "bob"]),
        ({"domain": DomainId(99)}, []),
    ):
        found = store.read_now(lambda tx, page=page: tx.accounts.list(**page))
        assert [a.localpart for a in found] == expected
    changed = store.write_now(
        lambda tx: tx.accounts.set(bob.id, name="B", quota=None, is_active=False, password_hash="n")
    )
    assert changed == bob._replace(name="B", quota=None, own_quota=None, is_active=False)
    store.write_now(lambda tx: tx.accounts.logged_in(bob.id, NOW + 5))
    assert store.read_now(lambda tx: tx.accounts.get(bob.id)).last_login_at == NOW + 5


def test_a_domain_has_at_most_so_many_accounts(world: World) -> None:
    domain = world.alice.domain_id
    world.store.write_now(lambda tx: tx.domains.set(domain, max_accounts=1))
    with pytest.raises(LimitReached):
        world.store.write_now(lambda tx: tx.accounts.add(domain, "bob", "h"))


def test_credentials_say_whether_account_and_domain_are_active(world: World) -> None:
    def credentials():
        return world.store.read_now(lambda tx: tx.accounts.credentials("alice", "example.test"))

    found = credentials()
    assert (found.account.id, found.password_hash, found.is_active) == (
        world.alice.id,
        "hash",
        True,
    )
    world.store.write_now(lambda tx: tx.domains.set(world.alice.domain_id, is_active=False))
    assert not credentials().is_active
    world.store.write_now(lambda tx: tx.domains.set(world.alice.domain_id, is_active=True))
    world.store.write_now(lambda tx: tx.accounts.set(world.alice.id, is_active=False))
    assert not credentials().is_active
    assert world.store.read_now(lambda tx: tx.accounts.credentials("x", "example.test")) is None


def test_a_removed_account_leaves_nothing(world: World, monkeypatch) -> None:
    monkeypatch.setattr("mailserver.store.purge.Purge.some.__defaults__", (2,))
    domain = world.alice.domain_id
    for n in range(5):
        world.add(b"%d" % n, thread_keys=[n])
    bob = world.store.write_now(lambda tx: tx.accounts.add(domain, "bob", "h"))
    world.store.write_now(lambda tx: tx.accounts.remove(world.alice.id))
    with pytest.raises(NotFound):
        world.store.read_now(lambda tx: tx.accounts.get(world.alice.id))
    assert world.store.read_now(lambda tx: tx.mailboxes.all(world.alice.id)) == []
    assert [a.id for a in world.store.read_now(lambda tx: tx.accounts.list())] == [bob.id]
    assert world.store.read_now(lambda tx: tx.verify.problems()) == []
    counts = world.store.read_now(
        lambda tx: [
            tx.settings._db.rows(f"SELECT count(*) FROM {table}")[0][0]
            for table in ("account", "message", "blob", "thread_key", "message_gone", "placement")
        ]
    )
    assert counts == [1, 0, 0, 0, 0, 0]
    again = world.store.write_now(lambda tx: tx.accounts.add(domain, "alice", "h"))
    assert again.id > bob.id
    with pytest.raises(NotFound):
        world.store.write_now(lambda tx: tx.accounts.remove(AccountId(99)))


def test_aliases(world: World) -> None:
    store, domain = world.store, world.alice.domain_id
    alias = store.write_now(
        lambda tx: tx.aliases.add(domain, "team", ["b@x.test", "a@x.test", "b@x.test"])
    )
    assert (alias.address, alias.targets) == ("team@example.test", ("b@x.test", "a@x.test"))
    assert store.read_now(lambda tx: tx.aliases.targets("team", "example.test")) == [
        "b@x.test",
        "a@x.test",
    ]
    assert store.read_now(lambda tx: tx.aliases.targets("nobody", "example.test")) is None
    store.write_now(lambda tx: tx.aliases.set(alias.id, ["c@x.test"]))
    found = store.read_now(lambda tx: tx.aliases.get("team", "example.test"))
    assert found == alias._replace(targets=("c@x.test",))
    assert store.read_now(lambda tx: tx.aliases.list(domain)) == [found]
    assert store.read_now(lambda tx: tx.aliases.list()) == [found]
    store.write_now(lambda tx: tx.aliases.remove(alias.id))
    for gone in (
        lambda tx: tx.aliases.remove(alias.id),
        lambda tx: tx.aliases.get("team", "example.test"),
        lambda tx: tx.aliases.set(alias.id, ["x@x.test"]),
        lambda tx: tx.aliases.add(DomainId(99), "x", ["x@x.test"]),
    ):
        with pytest.raises(NotFound):
            store.write_now(gone)


def test_an_address_is_an_account_or_an_alias(world: World) -> None:
    store, domain = world.store, world.alice.domain_id
    store.write_now(lambda tx: tx.aliases.add(domain, "team", ["alice@example.test"]))
    for clash in (
        lambda tx: tx.aliases.add(domain, "alice", ["x@x.test"]),
        lambda tx: tx.aliases.add(domain, "team", ["x@x.test"]),
        lambda tx: tx.accounts.add(domain, "team", "h"),
    ):
        with pytest.raises(AlreadyExists):
            store.write_now(clash)
    for empty in (
        lambda tx: tx.aliases.add(domain, "new", []),
        lambda tx: tx.aliases.set(AliasId(1), []),
    ):
        with pytest.raises(Cannot):
            store.write_now(empty)


def test_aliases_lead_to_an_account_over_any_number_of_steps(world: World) -> None:
    domain = world.alice.domain_id

    def job(tx):
        tx.aliases.add(domain, "one", ["alice@example.test", "x@x.test"])
        tx.aliases.add(domain, "two", ["one@example.test", "three@example.test"])
        tx.aliases.add(domain, "three", ["two@example.test"])
        tx.aliases.add(domain, "other", ["x@x.test"])

    world.store.write_now(job)
    assert world.store.read_now(lambda tx: tx.aliases.owned_by(world.alice.id)) == [
        "one@example.test",
        "three@example.test",
        "two@example.test",
    ]


def test_settings(world: World) -> None:
    store = world.store
    assert store.read_now(lambda tx: tx.settings.get("a")) is None
    store.write_now(lambda tx: tx.settings.set("a", "1"))
    store.write_now(lambda tx: tx.settings.set("a", "2"))
    store.write_now(lambda tx: tx.settings.set("b", "x"))
    assert store.read_now(lambda tx: tx.settings.all()) == {"a": "2", "b": "x"}
    store.write_now(lambda tx: tx.settings.set("a", None))
    assert store.read_now(lambda tx: tx.settings.get("a")) is None


@pytest.mark.parametrize(
    "job",
    [
        lambda tx: tx.domains.add("b.test"),
        lambda tx: tx.domains.set(DomainId(1), quota=3),
        lambda tx: tx.accounts.set(AccountId(1), password_hash="other"),
        lambda tx: tx.accounts.remove(AccountId(1)),
        lambda tx: tx.aliases.add(DomainId(1), "x", ["y@x.test"]),
        lambda tx: tx.settings.set("a", "1"),
        lambda tx: tx.directory_changed(),
    ],
)
def test_what_others_have_cached_is_announced(world: World, job) -> None:
    heard: list[Changes] = []
    world.store._committed = heard.append
    world.store.write_now(job)
    assert any(changes.directory for changes in heard)


def test_a_login_disturbs_nobody(world: World) -> None:
    heard: list[Changes] = []
    world.store._committed = heard.append
    world.store.write_now(lambda tx: tx.accounts.logged_in(world.alice.id, NOW))
    assert heard == []
