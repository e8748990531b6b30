"""cache.db: what workers tell each other, and what happens when it is gone."""

import threading
from pathlib import Path

import pytest

from mailserver.store.rates import KNOWN_S, Count, Known, RateFile, busiest, counts_of
from mailserver.store.sidefile import DAMAGED

NOW = 1_700_000_000
ALICE = Count("account", "alice@example.test", "messages", "hour", 100, 3, NOW + 3_600)


def test_totals_come_back_to_everybody(tmp_path: Path) -> None:
    one, two = RateFile(tmp_path), RateFile(tmp_path)
    first = one.exchange([ALICE], [], 0, NOW)
    assert first.counts == [ALICE]
    second = two.exchange([ALICE._replace(n=2)], [], 0, NOW)
    assert second.counts == [ALICE._replace(n=5)]
    assert one.exchange([], [], first.change, NOW).counts == [ALICE._replace(n=5)]
    assert two.exchange([], [], second.change, NOW).counts == []
    one.close()
    two.close()


def test_many_workers_lose_nothing(tmp_path: Path) -> None:
    def work() -> None:
        file, change = RateFile(tmp_path), 0
        for _ in range(50):
            change = file.exchange([ALICE._replace(n=1)], [], change, NOW).change
        file.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts_of(tmp_path, "alice@example.test") == [ALICE._replace(n=200)]


def test_what_is_over_goes(tmp_path: Path) -> None:
    file = RateFile(tmp_path)
    known = Known("alice@example.test", "192.0.2.0/24", NOW)
    change = file.exchange([ALICE], [known], 0, NOW).change
    later, elsewhere = (
        ALICE._replace(slot=200, until_s=NOW + 10_000),
        known._replace(place="x", at=NOW + 10),
    )
    change = file.exchange([later], [elsewhere], change, NOW).change
    file.exchange([], [], change, NOW + 5_000)
    assert [c.slot for c in counts_of(tmp_path, "alice@example.test")] == [200]
    file.exchange([], [], change, NOW + KNOWN_S + 5)
    again = file.exchange([], [], 0, NOW + KNOWN_S + 5)
    assert [k.place for k in again.known] == ["x"]
    file.close()


def test_reset(tmp_path: Path) -> None:
    one, two = RateFile(tmp_path), RateFile(tmp_path)
    day = ALICE._replace(period="day")
    change = one.exchange([ALICE, ALICE._replace(slot=101), day], [], 0, NOW).change
    assert two.reset("alice@example.test") == 2
    assert two.reset("bob@example.test") == 0
    assert {count.n for count in one.exchange([], [], change, NOW).counts} == {0}
    assert busiest(tmp_path, NOW, 10) == []


def test_the_busiest_first(tmp_path: Path) -> None:
    file = RateFile(tmp_path)
    bob = ALICE._replace(name="bob@example.test", n=50)
    gone = ALICE._replace(name="gone@example.test", until_s=NOW - 1)
    file.exchange([ALICE, ALICE._replace(slot=101), bob, gone], [], 0, NOW - 5)
    assert busiest(tmp_path, NOW, 10) == [
        ("account", "bob@example.test", "messages", "hour", 50),
        ("account", "alice@example.test", "messages", "hour", 6),
    ]
    assert len(busiest(tmp_path, NOW, 1)) == 1
    file.close()


def test_no_file_no_counts(tmp_path: Path) -> None:
    assert counts_of(tmp_path, "x") == []
    assert busiest(tmp_path, NOW, 5) == []


def test_a_damaged_file_is_put_aside_and_numbers_begin_anew(tmp_path: Path) -> None:
    one, two = RateFile(tmp_path), RateFile(tmp_path)
    for _ in range(5):
        change = one.exchange([ALICE], [], 0, NOW).change
    two.exchange([], [], 0, NOW)
    one.close()
    two.close()
    (tmp_path / "cache.db").write_bytes(b"nonsense" * 2_000)
    with pytest.raises(DAMAGED):
        one.exchange([ALICE], [], change, NOW)
    assert (tmp_path / "cache.db.damaged").exists()
    assert one.exchange([ALICE._replace(n=1)], [], change, NOW).counts == [ALICE._replace(n=1)]
    assert two.exchange([], [], change, NOW).counts == [ALICE._replace(n=1)]


def test_the_file_stays_within_its_size(tmp_path: Path) -> None:
    file, change = RateFile(tmp_path, 2_000_000), 0
    for round_ in range(12):
        fresh = [ALICE._replace(name=f"2001:db8:{round_:x}:{n:x}::/64") for n in range(5_000)]
        change = file.exchange(fresh, [], change, NOW).change
    file.close()
    assert (tmp_path / "cache.db").stat().st_size < 5_000_000
    assert counts_of(tmp_path, "2001:db8:b:1::/64")
    assert not counts_of(tmp_path, "2001:db8:0:1::/64")
