"""Where what waits goes once routes have changed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver.directory import domains
from mailserver.mta.ways import again
from mailserver.store.store import Store
from mailserver.store.tx import Write

HUB = "smtp:hub.test:25"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    def make(tx: Write) -> None:
        domains.create(tx, "ours.test", {"has_subdomains": True, "smarthost": "smtp:mine.test:25"})
        domains.create(tx, "brand.test", {"alias_of": "ours.test"})
        domains.create(tx, "backup.test", {"is_backup": True})
        tx.routes.add("routed.test", "smtp:x.test:25")
        tx.routes.add("closed.test", "reject")

    store = Store(tmp_path)
    store.open()
    store.write_now(make)
    yield store
    store.close()


@pytest.mark.parametrize(
    ("sender", "domain", "destination"),
    [
        ("a@ours.test", "ours.test", "local"),
        ("a@ours.test", "brand.test", "local"),
        ("a@ours.test", "below.ours.test", "local"),
        ("a@ours.test", "", "local"),
        ("a@ours.test", "backup.test", "backup.test"),
        ("a@ours.test", "routed.test", "smtp:x.test:25"),
        ("a@ours.test", "closed.test", "reject"),
        ("a@ours.test", "any.test", "smtp:mine.test:25"),
        ("a@brand.test", "any.test", "smtp:mine.test:25"),
        ("a@below.ours.test", "any.test", "smtp:mine.test:25"),
        ("a@below.brand.test", "any.test", HUB),
        ("a@other.test", "any.test", HUB),
        ("", "any.test", "smtp:mine.test:25"),
        ("a@ours.test", "[192.0.2.1]", "smtp:mine.test:25"),
    ],
)
def test_destinations(store: Store, sender: str, domain: str, destination: str) -> None:
    def job(tx: Write) -> str:
        return again(tx, HUB, "ours.test")(sender, domain, f"x@{domain}")

    assert store.write_now(job) == destination
