"""Who is woken for what: never too few."""

import os

from hypothesis import given
from hypothesis import strategies as st

from mailserver.net.interests import ACCOUNTS, MAILBOXES, Interests
from mailserver.store.values import Changes

ids = st.integers(1, 20_000)
wishes = st.lists(st.tuples(st.sampled_from(["mailbox", "account", "queue"]), ids))


def of(what, number):
    if what == "mailbox":
        return Changes(frozenset({(0, number)}))
    return Changes(accounts=frozenset({number})) if what == "account" else Changes(queue=True)


@given(wishes, st.lists(st.integers(0, 100)), ids)
def test_what_is_wanted_is_told_until_nobody_wants_it(wanted, given_up, other):
    table = Interests(2)
    row = table.row(1)

    def wish(what, number, wanted):
        if what == "queue":
            row.queue(wanted=wanted)
        else:
            (row.mailbox if what == "mailbox" else row.account)(number, wanted=wanted)

    for what, number in wanted:
        wish(what, number, True)
    for at in given_up:
        if at < len(wanted):
            wish(*wanted.pop(at), False)
    assert all(table.wants(1, of(*one)) for one in wanted)
    marks = {(what, number % MAILBOXES) for what, number in wanted if what == "mailbox"}
    assert table.wants(1, of("mailbox", other)) == (("mailbox", other % MAILBOXES) in marks)
    marks = {(what, number % ACCOUNTS) for what, number in wanted if what == "account"}
    assert table.wants(1, of("account", other)) == (("account", other % ACCOUNTS) in marks)
    assert table.wants(1, Changes(queue=True)) == any(what == "queue" for what, _ in wanted)
    assert not table.wants(0, of("mailbox", other))  # each row for itself


def test_everybody_hears_of_the_directory():
    table = Interests(2)
    assert table.wants(0, Changes(directory=True))
    assert not table.wants(0, Changes(frozenset({(1, 1)}), frozenset({1}), queue=True))


def test_one_of_many_is_enough():
    table = Interests(1)
    table.row(0).mailbox(500, wanted=True)
    assert table.wants(0, Changes(frozenset((1, n) for n in range(1, 1_000))))


def test_processes_share_it_and_a_new_worker_wants_nothing_yet():
    table = Interests(2)
    pid = os.fork()
    if pid == 0:
        table.row(1).mailbox(7, wanted=True)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert table.wants(1, of("mailbox", 7))
    table.row(1)
    assert not table.wants(1, of("mailbox", 7))
