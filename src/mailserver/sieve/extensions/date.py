"""date: the tests date and currentdate.

Spec: RFC 5260 §4, §5.  Status: complete.
"""

import datetime as days
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone, tzinfo
from email.utils import format_datetime
from typing import Final

from mailserver.mime.dates import parse_date
from mailserver.sieve.arguments import Args
from mailserver.sieve.fields import choice
from mailserver.sieve.matching import matcher
from mailserver.sieve.registry import STRING, STRINGS, Check, tag, test
from mailserver.sieve.run import Run
from mailserver.sieve.strings import value_of

_ZONE = re.compile(r"([+-])([0-9]{2})([0-5][0-9])")
_JULIAN: Final = days.date(1858, 11, 17).toordinal()

tag("zone", STRING, of=("date", "currentdate"), group="zone", capability="date")
tag("originalzone", of=("date",), group="zone", capability="date")


def _zone_of(at: datetime) -> str:
    return at.strftime("%z")[:5]


def _iso(at: datetime) -> str:
    zone = _zone_of(at)
    shown = "Z" if zone in ("+0000", "") else f"{zone[:3]}:{zone[3:]}"
    return at.strftime("%Y-%m-%dT%H:%M:%S") + shown


_PARTS: dict[str, Callable[[datetime], str]] = {
    "year": lambda at: f"{at.year:04d}",
    "month": lambda at: f"{at.month:02d}",
    "day": lambda at: f"{at.day:02d}",
    "date": lambda at: at.date().isoformat(),
    "julian": lambda at: str(at.date().toordinal() - _JULIAN),
    "hour": lambda at: f"{at.hour:02d}",
    "minute": lambda at: f"{at.minute:02d}",
    "second": lambda at: f"{at.second:02d}",
    "time": lambda at: at.strftime("%H:%M:%S"),
    "iso8601": _iso,
    "std11": format_datetime,
    "zone": _zone_of,
    "weekday": lambda at: str(at.isoweekday() % 7),
}


@test("date", STRING, STRING, STRINGS, takes=("match", "comparator", "fields"), capability="date")
def date(args: Args) -> Check:
    """A part of the date in the first field of this name matches (RFC 5260 §4)."""
    name, part, match = args.text(0), _part(args, 1), matcher(args, args.texts(2))
    chosen, zone, keeps_zone = choice(args), _zone(args), args.has("originalzone")

    def check(run: Run) -> bool:
        fields = run.message.values(value_of(name, run).lower())
        field = next(iter(chosen(fields) if chosen else fields), None)
        at = None if field is None else read_date(field)
        if at is None:
            return match(run, ())
        if not keeps_zone:
            at = _moved(at, zone or run.environment.now.tzinfo)
        text = part(run, at)
        return match(run, () if text is None else (text,))

    return check


@test("currentdate", STRING, STRINGS, takes=("match", "comparator"), capability="date")
def currentdate(args: Args) -> Check:
    """A part of the date on which the script runs matches; it is the same for all of the run (RFC 5260 §5)."""
    part, match, zone = _part(args, 0), matcher(args, args.texts(1)), _zone(args)

    def check(run: Run) -> bool:
        now = run.environment.now
        text = part(run, now if zone is None else _moved(now, zone))
        return match(run, () if text is None else (text,))

    return check


def read_date(field: str) -> datetime | None:
    """The date that *field* is, or ends in behind a semicolon, in its own zone; None where there is none."""
    text = field.rpartition(";")[2].strip()
    found = parse_date(text.encode())
    if found is None:
        return None
    try:
        return datetime.fromtimestamp(found.at, timezone(timedelta(minutes=found.zone_minutes)))
    except (ValueError, OverflowError, OSError):
        return None


def _part(args: Args, index: int) -> Callable[[Run, datetime], str | None]:
    """What shows the part that the argument there names; for a name that is none the test is false."""
    name = args.text(index)
    if not isinstance(name, str):
        later = name

        def by_variable(run: Run, at: datetime) -> str | None:
            show = _PARTS.get(later.expand(run).lower())
            return None if show is None else show(at)

        return by_variable
    known = _PARTS.get(name.lower())
    if known is None:
        parts = ", ".join(f'"{part}"' for part in _PARTS)
        raise args.error(f'a date has no part "{name}"; there are {parts}', args.place(index))
    show = known
    return lambda run, at: show(at)


def _zone(args: Args) -> tzinfo | None:
    text = args.tag_constant("zone")
    if text is None:
        return None
    m = _ZONE.fullmatch(text)
    if m is None or int(m[2]) > 23:
        raise args.error(f':zone must be like "+0100", not "{text}"')
    minutes = int(m[2]) * 60 + int(m[3])
    return timezone(timedelta(minutes=-minutes if m[1] == "-" else minutes))


def _moved(at: datetime, zone: tzinfo | None) -> datetime:
    try:
        return at.astimezone(zone)
    except OverflowError:
        return at
