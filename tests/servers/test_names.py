"""Names of transactions: none comes twice, and later ones stand behind earlier ones; and of connections."""

from itertools import pairwise

from mailserver.servers.names import Names, ShortNames

NOW = 1_795_341_600_123_456_789


def test_a_name_tells_the_microsecond_and_the_process():
    name = Names(lambda: NOW, 0x12345)()
    assert name == f"{NOW // 1000:013x}345"
    assert len(name) == 16


def test_none_comes_twice_though_the_clock_stands_still_or_steps_back():
    now = iter([NOW, NOW, NOW, NOW - 3_600 * 10**9, NOW + 2_000])
    names = Names(lambda: next(now), 1)
    made = [names() for _ in range(5)]
    assert made == sorted(set(made))


def test_processes_side_by_side_do_not_meet():
    one, other = (Names(lambda: NOW, process) for process in (4_000, 4_001))
    assert not {one() for _ in range(100)} & {other() for _ in range(100)}


def test_a_hundred_years_have_room():
    assert len(Names(lambda: 4_000_000_000 * 10**9, 1)()) == 16


def test_names_of_connections_do_not_come_twice_and_look_different():
    names = ShortNames(0xFFFF_FFF0)
    made = [names() for _ in range(50_000)]
    assert len({*made}) == len(made)
    assert {len(name) for name in made} == {8}
    assert all(one[:3] != other[:3] for one, other in pairwise(made))


def test_each_process_begins_somewhere_else():
    assert len({ShortNames()() for _ in range(20)}) == 20
