"""Wake-ups: the datagram's form, full queues, dead peers, and two real processes."""

import asyncio
import multiprocessing
import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.base.errors import MailError
from mailserver.net import wakeups
from mailserver.net.interests import Interests
from mailserver.net.wakeups import (
    ENTRIES,
    Sender,
    Wakeups,
    decode,
    encode,
    merged,
    socket_path,
    tell_workers,
)
from mailserver.store.values import Changes

ids = st.integers(-(2**63), 2**63 - 1)
changes = st.builds(
    Changes,
    st.frozensets(st.tuples(ids, ids), max_size=20),
    st.frozensets(ids, max_size=20),
    st.booleans(),
    st.booleans(),
)


def of_mailboxes(*numbers):
    return Changes(frozenset((1, n) for n in numbers), frozenset({1}), False)


@given(changes)
def test_what_is_sent_is_heard(said):
    heard = Changes()
    for datagram in encode(said):
        heard = merged(heard, decode(datagram))
    assert heard == said


@pytest.mark.parametrize("count", [0, 1, ENTRIES, ENTRIES + 1, 3 * ENTRIES])
def test_many_ids_are_several_datagrams_of_bounded_size(count):
    said = Changes(frozenset((n, n) for n in range(count)), frozenset(range(count // 2)), True)
    datagrams = list(encode(said))
    assert len(datagrams) == max(1, -(-count // ENTRIES))
    assert max(map(len, datagrams)) < 16_384
    heard = Changes()
    for datagram in datagrams:
        heard = merged(heard, decode(datagram))
    assert heard == said


@given(st.binary(max_size=100))
def test_garbage_is_nothing_or_ids(data):
    said = decode(data)
    if said is not None:
        assert merged(said, said) == said


def test_another_version_is_not_understood():
    (datagram,) = encode(of_mailboxes(1))
    assert decode(bytes([wakeups.VERSION + 1]) + datagram[1:]) is None


def receiver(path):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(path))
    sock.settimeout(5)
    return sock


def test_nobody_there_needs_no_telling(tmp_path):
    dead = receiver(tmp_path / "dead.sock")
    dead.close()
    sender = Sender([tmp_path / "dead.sock", tmp_path / "never.sock"])
    assert sender.send(of_mailboxes(1)) is False
    sender.close()


def test_a_full_queue_gets_everything_merged_later(tmp_path):
    slow, quick = receiver(tmp_path / "slow.sock"), receiver(tmp_path / "quick.sock")
    sender = Sender([tmp_path / "slow.sock", tmp_path / "quick.sock"])
    heard_quickly = set()
    for n in range(2_000):  # far beyond what a socket's queue holds
        sender.send(of_mailboxes(n))
        heard_quickly |= decode(quick.recv(65_536)).mailboxes
    assert len(heard_quickly) == 2_000
    assert sender.pending
    heard = set()
    slow.setblocking(False)
    for _ in range(1_000):
        sender.retry()
        try:
            while True:
                heard |= decode(slow.recv(65_536)).mailboxes
        except BlockingIOError:
            pass
        if not sender.pending:
            break
    assert len(heard) == 2_000
    for sock in (slow, quick):
        sock.close()
    sender.close()


def test_what_waits_for_one_receiver_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(wakeups, "PENDING", 50)
    slow = receiver(tmp_path / "slow.sock")
    sender = Sender([tmp_path / "slow.sock"])
    for n in range(5_000):
        sender.send(of_mailboxes(n))
    sender.send(Changes(directory=True))
    (waiting,) = sender.pending.values()
    assert len(waiting.mailboxes) <= 50
    assert waiting.directory
    slow.close()
    sender.close()


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 20))


def test_workers_hear_each_other_and_not_themselves(tmp_path):
    async def main():
        loop = asyncio.get_running_loop()
        heard = [[], [], []]
        workers = [Wakeups(loop, tmp_path, n, 3, heard[n].append) for n in range(3)]
        workers[0].send(of_mailboxes(7))
        while not (heard[1] and heard[2]):
            await asyncio.sleep(0.01)
        assert heard == [[], [of_mailboxes(7)], [of_mailboxes(7)]]
        for worker in workers:
            worker.close()
        assert not list(tmp_path.iterdir())

    run(main())


def test_only_who_wants_to_know_is_woken(tmp_path):
    async def main():
        loop = asyncio.get_running_loop()
        heard = [[], [], []]
        table = Interests(3)
        workers = [Wakeups(loop, tmp_path, n, 3, heard[n].append, table) for n in range(3)]
        table.row(1).mailbox(7, wanted=True)
        workers[0].send(of_mailboxes(8))
        workers[0].send(of_mailboxes(7))
        workers[2].send(Changes(queue=True))
        while not heard[1]:
            await asyncio.sleep(0.01)
        workers[0].send(Changes(directory=True))
        while not heard[2]:
            await asyncio.sleep(0.01)
        assert merged(*heard[1])._replace(directory=False) == of_mailboxes(7)
        assert heard[2] == [Changes(directory=True)]
        for worker in workers:
            worker.close()

    run(main())


def test_a_storm_of_commits_arrives_whole(tmp_path):
    async def main():
        loop = asyncio.get_running_loop()
        heard = []
        one = Wakeups(loop, tmp_path, 0, 2, lambda changes: None)
        two = Wakeups(loop, tmp_path, 1, 2, heard.append)
        for n in range(1_000):
            one.send(of_mailboxes(n))
        while len({pair for said in heard for pair in said.mailboxes}) < 1_000:
            await asyncio.sleep(0.01)
        one.close()
        two.close()

    run(main())


def test_a_restarted_worker_takes_the_place_of_a_dead_one(tmp_path):
    async def main():
        loop = asyncio.get_running_loop()
        heard = []
        receiver(socket_path(tmp_path, 1)).close()  # left by a worker that was killed
        one = Wakeups(loop, tmp_path, 0, 2, lambda changes: None)
        two = Wakeups(loop, tmp_path, 1, 2, heard.append)
        one.send(Changes(directory=True))
        while not heard:
            await asyncio.sleep(0.01)
        one.close()
        two.close()

    run(main())


def test_a_folder_that_is_not_there_is_named(tmp_path):
    async def main():
        with pytest.raises(MailError, match=r"none/worker-0\.sock: No such file"):
            Wakeups(asyncio.get_running_loop(), tmp_path / "none", 0, 1, print)

    run(main())


def test_a_command_tells_all_workers(tmp_path):
    first, second = receiver(socket_path(tmp_path, 0)), receiver(socket_path(tmp_path, 11))
    other = receiver(tmp_path / "other.sock")
    other.setblocking(False)
    tell_workers(tmp_path, Changes(directory=True))
    assert decode(first.recv(65_536)).directory
    assert decode(second.recv(65_536)).directory
    with pytest.raises(BlockingIOError):
        other.recv(65_536)
    for sock in (first, second, other):
        sock.close()


def test_a_command_without_a_server_tells_nobody(tmp_path):
    tell_workers(tmp_path / "none", Changes(directory=True))
    tell_workers(tmp_path, Changes(directory=True))


def test_a_command_does_not_wait_for_ever(tmp_path):
    stuck = receiver(socket_path(tmp_path, 0))
    begun = time.monotonic()
    for n in range(200):
        tell_workers(tmp_path, of_mailboxes(n), patience_s=0.001)
    assert time.monotonic() - begun < 10
    stuck.close()


def _other_process(folder, ready, done):
    """A worker that hears one thing and says it back."""

    async def main():
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        worker = Wakeups(loop, folder, 1, 2, lambda said: (worker.send(said), over.set()))
        ready.set()
        await asyncio.wait_for(over.wait(), 20)
        worker.close()

    asyncio.run(main())
    done.set()


def test_between_two_processes(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_other_process, args=(tmp_path, ready, done))
    other.start()

    async def main():
        loop = asyncio.get_running_loop()
        heard = []
        worker = Wakeups(loop, tmp_path, 0, 2, heard.append)
        await loop.run_in_executor(None, ready.wait, 20)
        worker.send(of_mailboxes(1, 2, 3))
        while not heard:
            await asyncio.sleep(0.005)
        assert heard == [of_mailboxes(1, 2, 3)]
        worker.close()

    run(main())
    other.join(20)
    assert done.is_set()
