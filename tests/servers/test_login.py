"""Log-in against a real store: who gets in, what it costs, what is noted."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from mailserver.base.errors import AuthFailed
from mailserver.directory import accounts, app_passwords, proofs
from mailserver.directory.addresses import parse
from mailserver.directory.auth import Verified
from mailserver.directory.passwords import hash_password, needs_rehash
from mailserver.servers import login
from mailserver.servers.login import authenticate
from mailserver.servers.work import Work
from mailserver.store.store import Store
from mailserver.store.tx import Write
from mailserver.store.values import ScramRow

CHEAP = PasswordHasher(1, 1024, 1)


def play(tmp_path: Path, use: Callable[[Work, Verified], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        store = Store(tmp_path, post=loop.call_soon_threadsafe)
        store.open()
        store.start()
        work = Work(store, loop)
        try:
            await work.write(people)
            await asyncio.wait_for(use(work, Verified(b"k" * 32)), 20)
        finally:
            while login._notes:
                await asyncio.sleep(0.01)
            await loop.run_in_executor(None, store.close)
            work.close()

    def people(tx: Write) -> None:
        domain = tx.domains.add("example.test")
        tx.accounts.add(domain.id, "alice", hash_password("correct horse"))
        tx.accounts.add(domain.id, "old", CHEAP.hash("correct horse"))
        gone = tx.accounts.add(domain.id, "gone", CHEAP.hash("correct horse"))
        tx.accounts.set(gone.id, is_active=False)

    asyncio.run(main())


def test_who_gets_in(tmp_path: Path) -> None:
    async def use(work: Work, verified: Verified) -> None:
        alice = await authenticate(work, verified, "Alice@EXAMPLE.test", "correct horse")
        assert alice.address == "alice@example.test"
        again = await authenticate(work, verified, "alice@example.test", "correct horse")
        assert again.id == alice.id
        acting = await authenticate(
            work, verified, "alice@example.test", "correct horse", "ALICE@example.test"
        )
        assert acting.id == alice.id

    play(tmp_path, use)


@pytest.mark.rfc(4616, "2")
@pytest.mark.parametrize(
    ("name", "password", "authzid"),
    [
        ("alice@example.test", "battery staple", ""),
        ("alice@example.test", "", ""),
        ("nobody@example.test", "correct horse", ""),
        ("alice@elsewhere.test", "correct horse", ""),
        ("gone@example.test", "correct horse", ""),
        ("alice", "correct horse", ""),
        ("", "", ""),
        ("a@b@c\x00", "correct horse", ""),
        ("alice@example.test", "correct horse", "old@example.test"),
        ("alice@example.test", "correct horse", "root"),
    ],
)
def test_who_does_not(tmp_path: Path, name: str, password: str, authzid: str) -> None:
    async def use(work: Work, verified: Verified) -> None:
        with pytest.raises(AuthFailed):
            await authenticate(work, verified, name, password, authzid)

    play(tmp_path, use)


def test_the_second_time_costs_nothing_until_somebody_fails(tmp_path: Path) -> None:
    async def use(work: Work, verified: Verified) -> None:
        checked = []

        async def thread(act: Callable[[], Any]) -> Any:
            checked.append(1)
            return act()

        work_ = Counting(work, thread)
        for _ in range(3):
            await authenticate(work_, verified, "alice@example.test", "correct horse")
        assert len(checked) == 1
        with pytest.raises(AuthFailed):
            await authenticate(work_, verified, "alice@example.test", "wrong")
        await authenticate(work_, verified, "alice@example.test", "correct horse")
        assert len(checked) == 3
        verified.clear()
        await authenticate(work_, verified, "alice@example.test", "correct horse")
        assert len(checked) == 4

    play(tmp_path, use)


def test_a_crowd_of_one_user_costs_little_more_than_one(tmp_path: Path) -> None:
    async def use(work: Work, verified: Verified) -> None:
        started = []

        async def thread(act: Callable[[], Any]) -> Any:
            started.append(1)
            return await work.thread(act)

        work_ = Counting(work, thread)
        crowd = [
            authenticate(work_, verified, "alice@example.test", "correct horse", makes_keys=True)
            for _ in range(30)
        ]
        await asyncio.gather(*crowd)
        while login._notes:
            await asyncio.sleep(0.01)
        assert len(started) <= 2 * login.HASHES, "those that began at once, and their keys"

    play(tmp_path, use)


class Counting:
    """Work whose threads can be watched."""

    def __init__(self, work: Work, thread: Callable[[Callable[[], Any]], Any]) -> None:
        self.read = work.read
        self.write = work.write
        self.thread = thread


def test_old_hashes_are_replaced_and_log_ins_noted(tmp_path: Path) -> None:
    async def use(work: Work, verified: Verified) -> None:
        await authenticate(work, verified, "old@example.test", "correct horse")
        while login._notes:
            await asyncio.sleep(0.01)
        found = await work.read(lambda tx: tx.accounts.credentials("old", "example.test"))
        assert found is not None
        assert not needs_rehash(found.password_hash)
        assert found.account.last_login_at is not None
        assert abs(found.account.last_login_at - time.time()) < 60
        verified.clear()
        await authenticate(work, verified, "old@example.test", "correct horse")

    play(tmp_path, use)


def test_unknown_users_take_as_long_as_known_ones(tmp_path: Path) -> None:
    """Not by the clock, which is busy here: both verify exactly one hash of today's cost."""

    async def use(work: Work, verified: Verified) -> None:
        hashes: list[str] = []
        real = login.verify

        def watch(encoded: str, password: str) -> bool:
            hashes.append(encoded)
            return real(encoded, password)

        login.verify = watch
        try:
            for name in ("alice@example.test", "nobody@example.test", "not an address"):
                with pytest.raises(AuthFailed):
                    await authenticate(work, verified, name, "wrong")
        finally:
            login.verify = real
        assert len(hashes) == 3
        assert not any(needs_rehash(h) for h in hashes)

    play(tmp_path, use)


def test_keys_for_scram_are_made_of_a_right_password(tmp_path: Path) -> None:
    async def use(work: Work, verified: Verified) -> None:
        async def row() -> ScramRow | None:
            while login._notes:
                await asyncio.sleep(0.01)
            found = await work.read(lambda tx: tx.accounts.by_address("old", "example.test"))
            assert found is not None
            return await work.read(lambda tx: tx.scram.of(found.id))

        old = "old@example.test"
        await authenticate(work, verified, old, "correct horse")
        assert await row() is None
        verified.clear()
        await authenticate(work, verified, old, "correct horse", makes_keys=True)
        made = await row()
        assert made is not None
        assert made == proofs.with_keys(made, "correct horse")
        verified.clear()
        await work.write(
            lambda tx: tx.accounts.set(
                accounts.at(tx, parse(old)).id, password_hash=CHEAP.hash("battery staple")
            )
        )
        forgotten = await row()
        assert forgotten is not None
        assert (forgotten.stored_key, forgotten.salt) == (None, made.salt)
        await authenticate(work, verified, old, "battery staple", makes_keys=True)
        again = await row()
        assert again is not None
        assert again == proofs.with_keys(made, "battery staple")

    play(tmp_path, use)


def test_an_app_password_costs_no_hash(tmp_path: Path) -> None:
    async def use(work: Work, verified: Verified) -> None:
        def add(tx: Write) -> str:
            account = accounts.at(tx, parse("alice@example.test"))
            row = proofs.row_of(tx, account)._replace(iterations=4096)
            made = app_passwords.make(account, row, None)
            app_passwords.create(tx, account, "telephone", row, made)
            return made.password

        password = await work.write(add)
        real = login.verify
        login.verify = lambda encoded, typed: pytest.fail("hashed")
        try:
            found = await authenticate(work, verified, "alice@example.test", password)
        finally:
            login.verify = real
        assert found.address == "alice@example.test"
        for name in ("old@example.test", "gone@example.test"):
            with pytest.raises(AuthFailed):
                await authenticate(work, verified, name, password)

    play(tmp_path, use)
