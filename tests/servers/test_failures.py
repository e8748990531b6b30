"""Failure reports leave where the operator and the domain's owner want them, and nowhere else."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mailauth.zone import Zone
from mailserver.base.limits import Limits
from mailserver.directory import report_settings
from mailserver.mailauth.reports.values import DkimSeen, SpfSeen
from mailserver.mailauth.results import MethodResult
from mailserver.mta.failure_reports import Failure
from mailserver.mta.notify import Terms
from mailserver.servers.failures import WAITING, Failures
from mailserver.servers.work import Work
from mailserver.store.store import Store

FAILURE = Failure(
    policy_domain="example.org",
    header_from="example.org",
    ruf=("mailto:ruf@example.org", "mailto:ruf@service.example"),
    fo=("0",),
    to="example.test",
    source="192.0.2.2",
    mail_from="alice@spam.example",
    is_dkim_aligned=False,
    is_spf_aligned=False,
    dkim=(DkimSeen("example.org", "s1", "fail"),),
    spf=SpfSeen("spam.example", "fail"),
    results=(MethodResult("dmarc", "fail"),),
    delivery="reject",
    header=b"From: alice@example.org\r\nSubject: x\r\n",
    arrived_at=int(time.time()),
)
Act = Callable[[Failures, Store], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path):
    """Runs a coroutine function of Failures and their store."""

    def go(act: Act, zone: str = "", *, is_on: bool = True) -> None:
        async def main() -> None:
            loop = asyncio.get_running_loop()
            store = Store(tmp_path, post=loop.call_soon_threadsafe)
            store.open()
            store.start()
            work = Work(store, loop)
            names = map("t{}".format, range(10_000))
            terms = Terms("mail.example.test", Limits())
            failures = Failures(work, Zone(zone), terms, lambda: next(names), time.time)
            failures.start()
            try:
                await work.write(lambda tx: tx.domains.add("example.test"))
                if is_on:
                    await work.write(
                        lambda tx: report_settings.change(tx, "failures", "example.test")
                    )
                await act(failures, store)
            finally:
                await failures.stop()
                work.close()
                await loop.run_in_executor(None, store.close)

        asyncio.run(asyncio.wait_for(main(), 60))

    return go


def waiting(store: Store) -> list[list[str]]:
    return store.read_now(
        lambda tx: [
            row[0].split()
            for row in tx.queue._db.rows(
                "SELECT group_concat(address, ' ') FROM queued_recipient GROUP BY queued_id"
            )
        ]
    )


@pytest.mark.rfc(9990, "4")
def test_a_report_leaves_for_those_who_want_it(run) -> None:
    async def act(failures: Failures, store: Store) -> None:
        failures.tell(FAILURE)
        failures.tell(FAILURE)
        await failures.drain()
        assert waiting(store) == [["ruf@example.org"]]

    run(act, 'spam.example TXT "v=spf1 -all"')


@pytest.mark.rfc(9989, "4.7")
def test_one_report_for_each_failure_that_is_asked_for(run) -> None:
    async def act(failures: Failures, store: Store) -> None:
        failures.tell(FAILURE._replace(fo=("0", "d", "s")))
        failures.tell(FAILURE._replace(fo=("0", "d", "s")))
        await failures.drain()
        subjects = store.read_now(
            lambda tx: [row[0] for row in tx.queue._db.rows("SELECT subject FROM queued")]
        )
        assert sorted(subject.split()[0] for subject in subjects) == ["DKIM", "DMARC", "SPF"]

    run(act, 'spam.example TXT "v=spf1 -all"')


def test_it_is_off_unless_the_domain_lets_them_out(run) -> None:
    async def act(failures: Failures, store: Store) -> None:
        failures.tell(FAILURE)
        await failures.drain()
        assert waiting(store) == []

    run(act, is_on=False)


def test_another_domain_of_ours_lets_nothing_out(run) -> None:
    async def act(failures: Failures, store: Store) -> None:
        failures.tell(FAILURE._replace(to="other.test"))
        failures.tell(FAILURE._replace(is_spf_aligned=True))
        failures.tell(FAILURE._replace(ruf=("mailto:x@victim.example",)))
        await failures.drain()
        assert waiting(store) == []

    run(act)


@pytest.mark.rfc(9991)
def test_what_a_program_wrote_is_not_told_of(run) -> None:
    async def act(failures: Failures, store: Store) -> None:
        failures.tell(FAILURE._replace(mail_from=""))
        failures.tell(FAILURE._replace(header=b"From: a@b\r\nAuto-submitted: Auto-Generated\r\n"))
        await failures.drain()
        assert waiting(store) == []
        failures.tell(FAILURE._replace(header=b"From: a@b\r\nAuto-Submitted: no\r\n"))
        await failures.drain()
        assert len(waiting(store)) == 1

    run(act)


def test_trouble_of_one_is_no_trouble_of_others(run) -> None:
    async def act(failures: Failures, store: Store) -> None:
        failures.tell(FAILURE._replace(policy_domain="slow.example"))
        failures.tell(FAILURE)
        await failures.drain()
        assert waiting(store) == [["ruf@example.org"]]

    run(act, "_dmarc.slow.example TROUBLE")


def test_a_flood_is_dropped(run) -> None:
    async def act(failures: Failures, store: Store) -> None:
        for n in range(WAITING * 3):
            failures.tell(FAILURE._replace(source=f"192.0.{n % 250}.{n // 250}"))
        await failures.drain()
        assert len(waiting(store)) == 5

    run(act)
