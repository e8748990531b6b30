"""Each filter walks the index that narrows it most, and a list that is asked for by pages sorts nothing."""

import pytest

from mailserver.store.queue_filter import QueueFilter, statement
from mailserver.store.queue_values import FINAL, HELD
from store.world import World

OPEN_INDEX = "SEARCH r USING INDEX queued_recipient_open (id>?)"


@pytest.mark.parametrize(
    ("which", "first"),
    [
        (QueueFilter(), OPEN_INDEX),
        (QueueFilter(states=(HELD,)), OPEN_INDEX),
        (QueueFilter(sender="*@example.test"), OPEN_INDEX),
        (QueueFilter(domain="b.test"), OPEN_INDEX),
        (QueueFilter(recipient="b*"), OPEN_INDEX),
        (QueueFilter(before=1), OPEN_INDEX),
        (QueueFilter(states=()), "SEARCH r USING INTEGER PRIMARY KEY (rowid>?)"),
        (QueueFilter(states=FINAL), "SEARCH r USING INTEGER PRIMARY KEY (rowid>?)"),
        (QueueFilter(states=(HELD, *FINAL)), "SEARCH r USING INTEGER PRIMARY KEY (rowid>?)"),
        (QueueFilter(message=1), "SEARCH q USING INTEGER PRIMARY KEY (rowid=?)"),  # type: ignore[arg-type]
        (QueueFilter(recipients=[1]), "SEARCH r USING INTEGER PRIMARY KEY (rowid=?)"),  # type: ignore[list-item]
        (QueueFilter(trace="t"), "SEARCH q USING INDEX queued_by_trace (trace=?)"),
        (QueueFilter(account=1), OPEN_INDEX),  # type: ignore[arg-type]
        (QueueFilter(account=1, states=()), "SEARCH q USING INDEX queued_by_account (account_id=?)"),  # type: ignore[arg-type]
        (QueueFilter(destination="b.test"), OPEN_INDEX),
        (QueueFilter(destination="b.test", states=FINAL),
         "SEARCH d USING INDEX sqlite_autoindex_destination_1 (name=?)"),
        (QueueFilter(recipient="b@b.test"), "SEARCH r USING INDEX queued_recipient_by_address (address=? AND rowid>?)"),
        (QueueFilter(recipient="b@b.test", states=()),
         "SEARCH r USING INDEX queued_recipient_by_address (address=? AND rowid>?)"),
    ],
)  # fmt: skip
def test_the_index_that_narrows_most(world: World, which: QueueFilter, first: str) -> None:
    sql, values = statement("r.id", which, 0, 10)

    def plan(tx) -> list[str]:
        return [row[3] for row in tx.settings._db.rows(f"EXPLAIN QUERY PLAN {sql}", values)]

    lines = world.store.read_now(plan)
    assert lines[0].replace(" COVERING", "") == first
    assert not [line for line in lines if line.startswith("SCAN") and "carray" not in line]
    is_sorted_already = first.startswith("SEARCH r")
    assert is_sorted_already != any("ORDER BY" in line for line in lines)
