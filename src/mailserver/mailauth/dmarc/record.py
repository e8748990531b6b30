"""A DMARC record as its owner wrote it: read leniently, as the RFC asks, and written back.

Spec: RFC 9989 §4.6, §4.7, §4.8; RFC 7489 §6.3 (pct, rf, ri and sizes of reports, which old records have).
Status: complete.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, NamedTuple, TypeVar, cast
from urllib.parse import unquote

from mailserver.base.errors import PeerError

Wish = Literal["none", "quarantine", "reject"]
Alignment = Literal["r", "s"]
Kind = Literal["y", "n", "u"]

T = TypeVar("T")

MAX_SIZE = 10_000  #: octets of a record that are read; real ones have some hundred
MAX_URIS = 20  #: of each kind that are kept
MAX_FAULTS = 10  #: that are told
REMEMBERED = 1_000  #: records that are not read again

_VERSION = re.compile(rb"[ \t]*v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z]+")
_URI = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*+:[\"-+\--~]++)(?:!(\d{1,18})([kmgt]?))?", re.IGNORECASE
)
_FACTOR = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


class Uri(NamedTuple):
    """Where reports go.  size: octets that the address takes, as old records may say; None: nothing is said."""

    uri: str
    size: int | None = None

    @property
    def address(self) -> str:
        """Of a mailto URI, the address alone (RFC 6068 §2); "" of any other."""
        scheme, _, rest = self.uri.partition(":")
        return unquote(rest.partition("?")[0]) if scheme.lower() == "mailto" else ""

    def __str__(self) -> str:
        return self.uri if self.size is None else f"{self.uri}!{self.size}"


class Record(NamedTuple):
    """What a record says, with the RFC's defaults for what it does not say.

    p, sp, np:   of the domain itself, its subdomains, and those that do not exist; None: not said.
    adkim, aspf: "s" strict, "r" relaxed.              psd:  "y": others register names below it.
    t:           the owner only tests.                 fo:   which failures are reported.
    pct, ri:     of old records: percent, seconds between reports; None: not said.
    faults:      what was wrong, for people.           is_usable: False where the RFC wants no DMARC at all.
    """

    p: Wish | None = None
    sp: Wish | None = None
    np: Wish | None = None
    adkim: Alignment = "r"
    aspf: Alignment = "r"
    psd: Kind = "u"
    t: bool = False
    rua: tuple[Uri, ...] = ()
    ruf: tuple[Uri, ...] = ()
    fo: tuple[str, ...] = ("0",)
    pct: int | None = None
    ri: int | None = None
    faults: tuple[str, ...] = ()
    is_usable: bool = True

    @property
    def is_test(self) -> bool:
        """Whether the policy shall not be applied: t=y, or pct=0 as it was written before there was t."""
        return self.t or self.pct == 0

    def wish(self, *, is_below: bool, exists: bool) -> Wish:
        """What the owner wants done with mail that fails: of the domain itself, or of one below it (RFC 9989 §4.7)."""
        if not is_below:
            return self.p or "none"
        return (None if exists else self.np) or self.sp or self.p or "none"

    def __str__(self) -> str:
        """The record to be published."""
        said: list[tuple[str, object]] = [("v", "DMARC1"), ("p", self.p), ("sp", self.sp)]
        said += [("np", self.np)]
        said += [(name, "s") for name in ("adkim", "aspf") if getattr(self, name) == "s"]
        said += [("psd", self.psd)] if self.psd != "u" else []
        said += [("t", "y")] if self.t else []
        said += [("rua", ",".join(map(str, self.rua)) or None)]
        said += [("ruf", ",".join(map(str, self.ruf)) or None)]
        said += [("fo", ":".join(self.fo))] if self.fo != ("0",) else []
        said += [("pct", self.pct), ("ri", self.ri)]
        return "; ".join(f"{name}={value}" for name, value in said if value is not None)


def is_record(data: bytes) -> bool:
    """Whether a TXT record is one of DMARC at all: its version comes first and is exactly "DMARC1" (RFC 9989 §4.7)."""
    found = _VERSION.match(data)
    return found is not None and b"DMARC1" in found[0]


@lru_cache(maxsize=REMEMBERED)
def parse(data: bytes) -> Record:
    """The record in *data*; what makes no sense in it counts as not said, and is told in `faults`.

    The first of two equal tags counts.  Raises PeerError for what is no DMARC record.
    """
    if not is_record(data):
        raise PeerError("no DMARC record")
    faults: list[str] = []
    if len(data) > MAX_SIZE:
        faults.append(f"only {MAX_SIZE} octets of it are read")
    said: dict[str, str] = {}
    for part in data[:MAX_SIZE].decode("ascii", "replace").split(";")[1:]:
        name, equals, value = part.partition("=")
        if equals and _NAME.fullmatch(name.strip(" \t")):
            said.setdefault(name.strip(" \t").lower(), value.strip(" \t"))
        elif part.strip():
            faults.append(f"no tag: {part.strip()[:40]}")

    def take(name: str, read: Callable[[str], T], default: T) -> T:
        if name not in said:
            return default
        try:
            return read(said[name])
        except ValueError:
            faults.append(f"{name}={said[name][:40]} makes no sense")
            return default

    record = Record(
        p=take("p", _wish, None),
        sp=take("sp", _wish, None),
        np=take("np", _wish, None),
        adkim=take("adkim", _alignment, "r"),
        aspf=take("aspf", _alignment, "r"),
        psd=take("psd", _kind, "u"),
        t=take("t", lambda value: _one_of(value, "y", "n") == "y", False),
        rua=take("rua", _uris, ()),
        ruf=take("ruf", _uris, ()),
        fo=take("fo", _options, ("0",)),
        pct=take("pct", lambda value: _number(value, 100), None),
        ri=take("ri", lambda value: _number(value, 2**32 - 1), None),
        faults=tuple(faults[:MAX_FAULTS]),
    )
    spoilt = [n for n in ("p", "sp", "np") if n in said and getattr(record, n) is None]
    if (
        spoilt
    ):  # RFC 9989 §4.10.1: as p=none if somebody asks for reports, else as if it were not there
        record = record._replace(p="none", sp=None, np=None, is_usable=bool(record.rua))
    return record


def _one_of(value: str, *allowed: str) -> str:
    if value.lower() not in allowed:
        raise ValueError(value)
    return value.lower()


def _wish(value: str) -> Wish | None:
    return cast(Wish, _one_of(value, "none", "quarantine", "reject"))


def _alignment(value: str) -> Alignment:
    return cast(Alignment, _one_of(value, "r", "s"))


def _kind(value: str) -> Kind:
    return cast(Kind, _one_of(value, "y", "n", "u"))


def _number(value: str, most: int) -> int | None:
    if not value.isascii() or not value.isdigit() or len(value) > 10 or int(value) > most:
        raise ValueError(value)
    return int(value)


def _options(value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_one_of(o.strip(), "0", "1", "d", "s") for o in value.split(":")))


def _uris(value: str) -> tuple[Uri, ...]:
    """The valid ones; raises ValueError if there is none."""
    found = []
    for text in value.split(",")[:MAX_URIS]:
        if (uri := _URI.fullmatch(text.strip())) is not None:
            size = int(uri[2]) * _FACTOR[uri[3].lower()] if uri[2] else None
            found.append(Uri(uri[1], size))
    if not found:
        raise ValueError(value)
    return tuple(found)
