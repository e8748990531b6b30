"""Events in mailboxes that wait for scripts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import NotFound
from mailserver.base.numset import compress
from mailserver.store.events import split
from mailserver.store.scripts import Owner
from store.world import World


@given(st.sets(st.integers(1, 2**32 - 1), min_size=1, max_size=60), st.integers(1, 70))
def test_split(uids, most):
    expected, got, left = sorted(uids), [], compress(sorted(uids))
    while left:
        first, left = split(left, most)
        assert 0 < len(first) <= most
        got += first
    assert got == expected


def test_a_large_set_is_not_written_out():
    first, left = split("1:4294967295", 3)
    assert (first, left) == ([1, 2, 3], "4:4294967295")


@pytest.mark.rfc(6785, "2.3.1")
def test_what_is_noted(world: World) -> None:
    write, read, alice, inbox = (
        world.store.write_now,
        world.store.read_now,
        world.alice.id,
        world.inbox,
    )
    about = {"/shared/imapsieve/script": b"s"}

    def note(uids: list[int], cause: str = "APPEND") -> bool:
        return write(lambda tx: tx.events.note(alice, inbox, cause, uids, actor=alice))

    assert not note([1])
    write(lambda tx: tx.annotations.set(alice, inbox, about))
    assert read(lambda tx: tx.events.script(alice, inbox)) == "s"
    assert not note([])
    assert note([1, 2, 3])
    assert note([7], "FLAG")
    event = read(lambda tx: tx.events.first())
    assert (event.cause, event.uids, event.actor) == ("APPEND", "1:3", alice)
    write(lambda tx: tx.events.done(event, "3"))  # the rest stands behind the other one
    following = read(lambda tx: tx.events.first())
    assert following.cause == "FLAG"
    write(lambda tx: tx.events.done(following, ""))
    rest = read(lambda tx: tx.events.first())
    assert (rest.cause, rest.uids) == ("APPEND", "3")
    write(lambda tx: tx.events.done(event, "3"))  # it was done already
    write(lambda tx: tx.events.done(rest, ""))
    assert read(lambda tx: tx.events.first()) is None
    write(lambda tx: tx.annotations.set(alice, inbox, {"/shared/imapsieve/script": b""}))
    assert not note([1])


@pytest.mark.parametrize(
    ("causes", "mailbox", "source", "wanted"),
    [
        (["COPY"], "*", "*", True),
        (["APPEND", "FLAG"], "*", "*", False),
        (["COPY"], "\\junk", "*", True),
        (["COPY"], "\\Sent", "*", False),
        (["COPY"], "J*", "inbox", True),
        (["COPY"], "Work", "*", False),
        (["COPY"], "*", "\\Junk", False),
    ],
)
def test_scripts_around(world: World, causes, mailbox, source, wanted) -> None:
    write, alice = world.store.write_now, world.alice.id

    def job(tx) -> bool:
        script = tx.scripts.put(Owner(), "s", b"keep;").id
        tx.events.watch(script, "after", causes, mailbox, source)
        junk = tx.mailboxes.special(alice, "\\Junk").id
        return tx.events.note(alice, junk, "COPY", [1], actor=alice, source=world.inbox)

    assert write(job) is wanted


def test_other_domains_scripts_do_not_run(world: World) -> None:
    write, alice = world.store.write_now, world.alice.id

    def job(tx) -> bool:
        other = Owner(domain=tx.domains.add("other.test").id)
        script = tx.scripts.put(other, "s", b"keep;").id
        tx.events.watch(script, "before", ["APPEND"], "*", "*")
        return tx.events.note(alice, world.inbox, "APPEND", [1], actor=alice)

    assert not write(job)
    with pytest.raises(NotFound):
        write(lambda tx: tx.events.unwatch(tx.scripts.put(Owner(), "t", b"keep;").id))
    write(lambda tx: tx.domains.remove(tx.domains.by_name("other.test").id))
