"""Days as users count them."""

from datetime import UTC, datetime

import pytest

from mailserver.base.errors import Cannot
from mailserver.directory import accounts, time_zones
from mailserver.directory.addresses import parse

SUMMER = datetime(2026, 7, 1, 22, 30, tzinfo=UTC).timestamp()
WINTER = datetime(2026, 12, 1, 22, 30, tzinfo=UTC).timestamp()


@pytest.mark.rfc(5260, "4.1")
def test_a_clock_on_the_wall(store):
    alice = store.read_now(lambda tx: accounts.at(tx, parse("alice@example.test")))
    there = alice._replace(time_zone="Europe/Berlin")
    assert time_zones.local(there, SUMMER).isoformat() == "2026-07-02T00:30:00+02:00"
    assert time_zones.local(there, WINTER).isoformat() == "2026-12-01T23:30:00+01:00"
    for account in (None, alice, alice._replace(time_zone="No/Where")):
        found = time_zones.local(account, WINTER)
        assert found.timestamp() == WINTER
        assert found.utcoffset() == datetime.fromtimestamp(WINTER).astimezone().utcoffset()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("europe/berlin", "is it Europe/Berlin?"),
        ("New York", "is it America/New_York?"),
        ("+0100", '"+0100" is no time zone'),
        ("../../etc/passwd", "is no time zone"),
        ("", "is no time zone"),
    ],
)
def test_no_time_zones(name, said):
    with pytest.raises(Cannot) as caught:
        time_zones.check(name)
    assert said in str(caught.value)


def test_time_zones():
    for name in ("Europe/Berlin", "UTC", "Asia/Kathmandu"):
        time_zones.check(name)
