"""MTA-STS: the record that says there is a policy, the policy, and which hosts it lets mail be sent to.

Spec: RFC 8461 §3.1, §3.2, §4.1, §8.2.  Status: complete but for fetching and keeping policies, which is net's.

    id = record_id(strings of the TXT records)          # "" for a domain that has none
    policy = parse(octets of the file)                   # raises PolicyError
    policy.allows("mail.example.org")
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

MAX_AGE = 31_557_600  #: seconds; nobody may ask for more (RFC 8461 §3.2)
SIZE = 65_536  #: octets of a policy that are read (RFC 8461 §3.3)
MX = 1_000  #: patterns of one policy
WEEK = 604_800

_RECORD = re.compile(r"v=STSv1[ \t]*;(.*)", re.DOTALL)
_FIELD = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})=([!-:<>-~]+)")
_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_LINE = re.compile(r"[ \t]*([A-Za-z0-9][A-Za-z0-9_.-]{0,31})[ \t]*:[ \t]*(.*)", re.DOTALL)
_HOST = re.compile(
    r"(?=.{1,253}\Z)(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9])?)*"
)


class PolicyError(Exception):
    """This is no policy; the text is for people."""


class Mode(StrEnum):
    """What a sender does about a host that is not as it should be."""

    ENFORCE = "enforce"  # no mail goes there
    TESTING = "testing"  # it is told the domain in a report, and mail goes its way
    NONE = "none"  # there is no policy any more


@dataclass(frozen=True, slots=True)
class Policy:
    """What a domain says of its mail hosts.

    mx:      names in lower case; "*." stands for one label.
    max_age: seconds from when it was fetched.
    """

    mode: Mode
    mx: tuple[str, ...]
    max_age: int

    def allows(self, host: str) -> bool:
        """Whether *host*, as an MX record names it, is one of the domain's (RFC 8461 §4.1)."""
        name = host.lower().rstrip(".")
        return any(_is_of(pattern, name) for pattern in self.mx)

    def __str__(self) -> str:
        """The file, as it is served at `address` (RFC 8461 §3.2)."""
        lines = ["version: STSv1", f"mode: {self.mode}", *(f"mx: {name}" for name in self.mx)]
        return "".join(f"{line}\r\n" for line in [*lines, f"max_age: {self.max_age}"])

    @property
    def strings(self) -> tuple[str, ...]:
        """Its lines, as reports show them (RFC 8460 §4.4)."""
        return tuple(str(self).split("\r\n")[:-1])


class Found(NamedTuple):
    """What was found out about a domain.

    policy:  that holds now; None: there is none.
    failure: the result type of RFC 8460 §4.3.2.2 where a policy that there should be could not be had now, else "".
    text:    why not, for people.
    """

    policy: Policy | None = None
    failure: str = ""
    text: str = ""


NOTHING = Found()


def record_name(domain: str) -> str:
    """Where the TXT record of *domain* is."""
    return f"_mta-sts.{domain}"


def host(domain: str) -> str:
    """Which host serves the policy of *domain*, and has a certificate for this name."""
    return f"mta-sts.{domain}"


PATH = "/.well-known/mta-sts.txt"


def address(domain: str) -> str:
    """Where the policy of *domain* is."""
    return f"https://{host(domain)}{PATH}"


# -- the record (RFC 8461 §3.1)


def record_id(records: Iterable[bytes]) -> str:
    """The policy's id in the only record that is one; "": there is no policy."""
    found = [
        text for text in (raw.decode("ascii", "replace") for raw in records) if _RECORD.match(text)
    ]
    return _id(found[0]) if len(found) == 1 else ""


def _id(record: str) -> str:
    """The first field called id, if all fields are as they should be."""
    shown = _RECORD.fullmatch(record)
    if shown is None:
        return ""
    fields = shown[1].strip(" \t").split(";")
    if not fields[-1].strip(" \t"):
        fields.pop()
    ids = []
    for field in fields:
        found = _FIELD.fullmatch(field.strip(" \t"))
        if found is None:
            return ""
        if found[1] == "id":
            ids.append(found[2])
    return ids[0] if ids and _ID.fullmatch(ids[0]) else ""


def record(id: str) -> str:
    """The TXT record for a policy with *id* (`id_of`)."""
    return f"v=STSv1; id={id};"


# -- the policy (RFC 8461 §3.2)


def parse(raw: bytes) -> Policy:
    """The policy in a file.  Of a field that comes twice the first counts.  Raises PolicyError."""
    if len(raw) > SIZE:
        raise PolicyError(f"more than {SIZE} octets")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise PolicyError("it is not in UTF-8") from None
    fields: dict[str, str] = {}
    mx: list[str] = []
    for number, line in enumerate(_lines(text), 1):
        found = _LINE.fullmatch(line)
        if found is None:
            raise PolicyError(f"line {number} is no field: {line[:60]!r}")
        name, value = found[1], found[2].strip(" \t")
        if name == "mx":
            mx.append(value.lower().rstrip("."))
        else:
            fields.setdefault(name, value)
    return _policy(fields, mx)


def _lines(text: str) -> list[str]:
    """Lines end with CRLF or LF (RFC 8461 §3.2); empty ones at the end do not count."""
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1].strip(" \t"):
        lines.pop()
    return lines


def _policy(fields: dict[str, str], mx: Sequence[str]) -> Policy:
    for name in ("version", "mode", "max_age"):
        if name not in fields:
            raise PolicyError(f"it has no {name}")
    if fields["version"] != "STSv1":
        raise PolicyError(f"its version is {fields['version'][:30]!r}")
    try:
        mode = Mode(fields["mode"])
    except ValueError:
        raise PolicyError(f"its mode is {fields['mode'][:30]!r}") from None
    age = fields["max_age"]
    if not (age.isascii() and age.isdigit() and len(age) <= 10):
        raise PolicyError(f"its max_age is {age[:30]!r}")
    if not mx and mode is not Mode.NONE:
        raise PolicyError("it names no mail host")
    if len(mx) > MX:
        raise PolicyError(f"it names more than {MX} mail hosts")
    for name in mx:
        if not _HOST.fullmatch(name):
            raise PolicyError(f"{name[:60]!r} is no host")
    return Policy(mode, tuple(dict.fromkeys(mx)), min(int(age), MAX_AGE))


def _is_of(pattern: str, name: str) -> bool:
    if pattern.startswith("*."):
        label, _, rest = name.partition(".")
        return bool(label) and rest == pattern[2:]
    return bool(name) and pattern == name


# -- our own


def own(mode: Mode, hosts: Iterable[str], max_age: int = WEEK) -> Policy:
    """The policy for a domain of ours whose MX records name *hosts*."""
    return Policy(mode, tuple(dict.fromkeys(name.lower().rstrip(".") for name in hosts)), max_age)


def id_of(policy: Policy) -> str:
    """An id that is another one whenever *policy* is."""
    return hashlib.sha256(str(policy).encode()).hexdigest()[:32]
