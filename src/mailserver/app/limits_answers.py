"""Limits as the command line shows them: who has sent how much of what is allowed, and when there is room again."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mailserver.app.answers import moment
from mailserver.base.errors import Cannot
from mailserver.base.window import Window
from mailserver.directory.addresses import domain_name, parse
from mailserver.mta.rates import PERIODS_S, Counter, Rates
from mailserver.store.rates import Count, counts_of

Subject = tuple[str, str]


def subjects(what: str, rates: Rates) -> list[Subject]:
    """Whose counters WHAT names: an account and sender, a client and its network, or a domain.  Raises Cannot."""
    if "@" in what:
        address = str(parse(what)).lower()
        return [("account", address), ("sender", address), ("login", address)]
    if "/" in what:
        return [("network", what)]
    try:
        return list(rates.places_of(what))
    except ValueError:
        return [("domain", domain_name(what))]


def rows(data_dir: Path, found: Iterable[Subject], rates: Rates) -> list[dict[str, Any]]:
    """A row for each limit on the subjects, and for each counter that is not 0."""
    now = time.time()
    shown = []
    for kind, name in found:
        windows: dict[Counter, Window] = {}
        for bound in rates.bounds_of(kind, name):
            counter = Counter(kind, name, bound.measure, bound.period)
            windows[counter] = Window(PERIODS_S[bound.period])
        for one in counts_of(data_dir, name):
            if one.kind in (kind, "pair") and one.period in PERIODS_S:
                _fill(windows, one)
        shown += [_row(rates, counter, window, now) for counter, window in windows.items()]
    return shown


def _fill(windows: dict[Counter, Window], one: Count) -> None:
    counter = Counter(one.kind, one.name, one.measure, one.period)
    windows.setdefault(counter, Window(PERIODS_S[one.period])).put(one.slot, one.n)


def _row(rates: Rates, counter: Counter, window: Window, now: float) -> dict[str, Any]:
    bounds = rates.bounds_of(counter.kind, counter.name)
    most = next((b.most for b in bounds if (b.measure, b.period) == counter[2:]), None)
    if most is not None and most >= 2**62:
        most = None
    count = window.count(now)
    is_reached = most is not None and count >= most
    wait_s = window.wait_s(now, most - 1) if most is not None and is_reached else 0.0
    return {
        "kind": counter.kind,
        "name": counter.name,
        "measure": counter.measure,
        "period": counter.period,
        "count": count,
        "most": most,
        "is_reached": is_reached,
        "room_again_at": moment(int(now + wait_s) + 1) if is_reached else None,
    }


def setting(text: str) -> tuple[str, str, int | None]:
    """ "messages_per_hour=200" -> ("messages", "hour", 200); none is 0, default is None.  Raises Cannot."""
    name, _, value = text.partition("=")
    measure, _, period = name.rpartition("_per_")
    if measure not in ("messages", "recipients", "bytes") or period not in ("hour", "day"):
        raise Cannot(
            f"{name!r} is none of messages_per_hour, messages_per_day, recipients_per_hour, recipients_per_day,"
            " bytes_per_hour, bytes_per_day"
        )
    if value in ("default", "none"):
        return measure, period, None if value == "default" else 0
    if not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise Cannot(f"{text!r}: behind = stands a number, none (no bound) or default")
    return measure, period, int(value)
