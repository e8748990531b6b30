"""A DNS out of the zone data of the SPF community's test suite, which has time-outs where a test wants them."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Any, TypeVar

from mailserver.mailauth.resolver import Answer, Mx, NoData, NoSuchDomain, Trouble

T = TypeVar("T")


class SuiteZone:
    """A resolver for what SPF asks.  records: by name in lower case, (type, value); of type TIMEOUT: no answer."""

    def __init__(self, data: dict[str, list[Any]]) -> None:
        self.records = {name.lower(): _records(entries) for name, entries in data.items()}

    async def txt(self, name: str) -> Answer[bytes]:
        return self._answer(name, "TXT", _text)

    async def a(self, name: str) -> Answer[IPv4Address]:
        return self._answer(name, "A", IPv4Address)

    async def aaaa(self, name: str) -> Answer[IPv6Address]:
        return self._answer(name, "AAAA", IPv6Address)

    async def mx(self, name: str) -> Answer[Mx]:
        return self._answer(name, "MX", lambda value: Mx(*value))

    async def ptr(self, address: IPv4Address | IPv6Address) -> Answer[str]:
        return self._answer(address.reverse_pointer, "PTR", str)

    def _answer(self, name: str, kind: str, value: Callable[[Any], T]) -> Answer[T]:
        for _ in range(10):
            here = self.records.get(name.lower())
            if here is None:
                if name.lower().startswith("error."):
                    raise Trouble("no answer")
                raise NoSuchDomain(name)
            values = [data for one, data in here if one == kind]
            if "TIMEOUT" in values or (not values and ("TIMEOUT", None) in here):
                raise Trouble("no answer")
            if values:
                return Answer(tuple(map(value, values)), False, 60)
            aliases = [data for one, data in here if one == "CNAME"]
            if not aliases:
                raise NoData(name)
            name = aliases[0]
        raise Trouble("too many aliases")


def _records(entries: list[Any]) -> list[tuple[str, Any]]:
    """The suite's SPF records stand for TXT records where a name has none of its own."""
    found = [
        (entry, None) if isinstance(entry, str) else next(iter(entry.items())) for entry in entries
    ]
    if not any(kind == "TXT" for kind, _ in found):
        found += [("TXT", value) for kind, value in found if kind == "SPF"]
    return [(kind, value) for kind, value in found if value != "NONE"]


def _text(value: str | list[str]) -> bytes:
    return "".join(value).encode("utf-8")
