"""The time zone of a user: when his days begin, for the dates in his filters.

Spec: RFC 5260 §4.1.  Status: complete.
"""

import zoneinfo
from datetime import datetime
from functools import lru_cache

from mailserver.base.errors import Cannot
from mailserver.directory.addresses import shown
from mailserver.store.values import Account


def check(name: str) -> None:
    """Raises Cannot for what the time zone database of this machine does not have."""
    known = zoneinfo.available_timezones()
    if name in known:
        return
    if not known:
        raise Cannot("this machine knows no time zones: it has no tzdata")
    city = name.casefold().replace(" ", "_").rpartition("/")[2]
    near = sorted(one for one in known if city and one.casefold().endswith(f"/{city}"))[:3]
    meant = f" (is it {' or '.join(near)}?)" if near else ""
    raise Cannot(f"{shown(name)} is no time zone like Europe/Berlin{meant}")


def local(account: Account | None, at: float) -> datetime:
    """The moment as the clock on the wall of *account* shows it; as the server's does where it has no zone.

    at: UTC epoch seconds.
    """
    return _local(None if account is None else account.time_zone, at)


@lru_cache(maxsize=1_000)  # much mail comes in one second
def _local(name: str | None, at: float) -> datetime:
    zone = _zone(name) if name else None
    return (
        datetime.fromtimestamp(at).astimezone()
        if zone is None
        else datetime.fromtimestamp(at, zone)
    )


@lru_cache(maxsize=1_000)
def _zone(name: str) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):  # a database without it
        return None
