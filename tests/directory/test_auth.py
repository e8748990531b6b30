"""The memory of log-ins that were right."""

from mailserver.base.ids import AccountId, DomainId
from mailserver.directory.auth import Verified
from mailserver.store.values import Account

ALICE = Account(
    AccountId(1), DomainId(1), "alice", "example.test", "", None, None, 0, 0, True, 0, None
)


def test_right_for_a_minute() -> None:
    verified = Verified(b"k" * 32, ttl_s=60)
    verified.put("alice@example.test", b"secret", ALICE, 100.0, verified.epoch)
    assert verified.get("alice@example.test", b"secret", 159.9) is ALICE
    assert verified.get("alice@example.test", b"wrong", 101.0) is None
    assert verified.get("bob@example.test", b"secret", 101.0) is None
    assert verified.get("alice@example.test", b"secret", 160.0) is None


def test_dropped_on_failures_and_changes() -> None:
    verified = Verified(b"k" * 32)
    verified.put("alice@example.test", b"secret", ALICE, 0.0, verified.epoch)
    verified.forget("alice@example.test")
    verified.forget("nobody@example.test")
    assert verified.get("alice@example.test", b"secret", 1.0) is None
    verified.put("alice@example.test", b"secret", ALICE, 0.0, verified.epoch)
    verified.clear()
    assert verified.get("alice@example.test", b"secret", 1.0) is None


def test_a_check_that_began_before_a_change_is_not_remembered() -> None:
    verified = Verified(b"k" * 32)
    epoch = verified.epoch
    verified.clear()
    verified.put("alice@example.test", b"old password", ALICE, 0.0, epoch)
    assert verified.get("alice@example.test", b"old password", 0.0) is None


def test_bounded_and_without_passwords() -> None:
    verified = Verified(b"k" * 32, size=3)
    for n in range(5):
        verified.put(f"u{n}@example.test", b"secret", ALICE, 0.0, verified.epoch)
    held = [
        f"u{n}@example.test" for n in range(5) if verified.get(f"u{n}@example.test", b"secret", 1.0)
    ]
    assert held == ["u2@example.test", "u3@example.test", "u4@example.test"]
    assert b"secret" not in repr(verified._entries).encode()


def test_what_was_wrong_is_wrong_for_an_hour_or_until_something_changes() -> None:
    verified = Verified(b"k" * 32)
    verified.put_wrong("alice@example.test", b"old", 0.0, verified.epoch)
    assert verified.was_wrong("alice@example.test", b"old", 3_599.0)
    assert not verified.was_wrong("alice@example.test", b"new", 1.0)
    assert not verified.was_wrong("bob@example.test", b"old", 1.0)
    assert not verified.was_wrong("alice@example.test", b"old", 3_600.0)
    verified.clear()
    assert not verified.was_wrong("alice@example.test", b"old", 1.0)
    verified.put_wrong("alice@example.test", b"old", 0.0, verified.epoch - 1)
    assert not verified.was_wrong("alice@example.test", b"old", 1.0)


def test_what_was_wrong_is_bounded() -> None:
    verified = Verified(b"k" * 32, size=10)
    for n in range(30):
        verified.put_wrong("alice@example.test", b"%d" % n, 0.0, verified.epoch)
    assert len(verified._wrong) == 10
    assert verified.was_wrong("alice@example.test", b"29", 1.0)
