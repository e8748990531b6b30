"""What a resolver remembers: for how long, and how much."""

from dns.rdatatype import RdataType

from mailserver.mailauth.resolver import NoData
from mailserver.net.dns_cache import Cache, Known


def known(*values: bytes, until: float = 10) -> Known:
    return Known(values, None if values else NoData, "", False, 10, until)


def question(name: str) -> tuple[str, RdataType]:
    return name, RdataType.TXT


def test_answers_end() -> None:
    cache = Cache(10, 100_000)
    cache.keep(question("a"), known(b"x", until=10))
    assert cache.get(question("a"), 9) == known(b"x")
    assert cache.get(("a", RdataType.MX), 9) is None
    assert cache.get(question("a"), 10) is None
    assert (len(cache), cache.octets) == (0, 0)


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    cache = Cache(2, 100_000)
    for name in "ab":
        cache.keep(question(name), known())
    cache.get(question("a"), 1)
    cache.keep(question("c"), known())
    assert [cache.get(question(name), 1) is not None for name in "abc"] == [True, False, True]


def test_large_answers_take_the_room_of_many() -> None:
    cache = Cache(1_000, 200_000)
    for n in range(100):
        cache.keep(question(str(n)), known(b"x" * 60_000))
        assert cache.octets <= 200_000
    assert len(cache) == 3
    cache.keep(question("huge"), known(b"x" * 300_000))
    assert len(cache) == 3
    cache.keep(question("99"), known())
    for n in range(100):
        cache.get(question(str(n)), 11)
    assert (len(cache), cache.octets) == (0, 0)
