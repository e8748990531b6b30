"""The leader runs the jobs, alone; what fails comes again."""

import asyncio
import json

import pytest

from mailserver import jobs
from mailserver.base.errors import TryLater
from mailserver.base.registry import scan
from mailserver.jobs import leader as leading
from mailserver.jobs.leader import Leader
from mailserver.jobs.registry import JOBS, SERVICES, Job, Service


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(leading, "TRY_S", 0.01)


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 20))


async def until(claim):
    while not claim():
        await asyncio.sleep(0.005)


def counting(runs, fail=None):
    async def act(site):
        runs.append(site)
        if fail is not None:
            raise fail

    return Job("count", every_s=0.01, first_s=0.0, run=act)


def test_table_of_jobs(golden):
    scan(jobs)
    rows = [f"{job.name} every {job.every_s:g} s" for job in JOBS.values()]
    rows += [f"{service.name} always" for service in SERVICES.values()]
    golden("jobs.txt", "\n".join(sorted(rows)) + "\n")


def test_a_job_runs_again_and_again(tmp_path):
    async def main():
        runs = []
        leader = Leader(tmp_path, "site", [counting(runs)])
        leader.start()
        await until(lambda: len(runs) >= 3)
        assert set(runs) == {"site"}
        await leader.stop()
        count = len(runs)
        await asyncio.sleep(0.05)
        assert len(runs) == count

    run(main())


def test_one_leads_and_the_next_takes_over(tmp_path):
    async def main():
        first_runs, second_runs = [], []
        first = Leader(tmp_path, 1, [counting(first_runs)])
        second = Leader(tmp_path, 2, [counting(second_runs)])
        first.start()
        await until(lambda: first.leads)
        second.start()
        await until(lambda: len(first_runs) >= 3)
        assert not second.leads
        assert second_runs == []
        await first.stop()
        await until(lambda: second_runs)
        await second.stop()

    run(main())


@pytest.mark.parametrize(
    ("failure", "event"), [(ValueError("a bug"), "job failed"), (TryLater("full"), "job put off")]
)
def test_what_fails_comes_again(tmp_path, caplog, failure, event):
    async def main():
        runs = []
        leader = Leader(tmp_path, None, [counting(runs, failure)])
        leader.start()
        await until(lambda: len(runs) >= 2)
        await leader.stop()

    with caplog.at_level("INFO"):
        run(main())
    assert event in [record.getMessage() for record in caplog.records]
    assert json.dumps([r.mail_fields for r in caplog.records if r.getMessage() == "leading"])


def test_stop_breaks_off_what_runs(tmp_path):
    async def main():
        begun, ended = asyncio.Event(), []

        async def long(site):
            begun.set()
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(True)

        leader = Leader(tmp_path, None, [Job("long", 1, 0, long)])
        leader.start()
        await begun.wait()
        await leader.stop()
        assert ended == [True]
        assert not leader.leads

    run(main())


def test_a_service_runs_until_it_is_told_to_end_and_has_time_for_that(tmp_path):
    async def main():
        ended = []

        async def serve(site, stopping):
            await stopping.wait()
            await asyncio.sleep(0.05)
            ended.append(site)

        leader = Leader(tmp_path, "site", [], [Service("serve", serve)])
        leader.start()
        await until(lambda: leader.leads)
        await asyncio.sleep(0.02)
        await leader.stop(grace_s=5)
        assert ended == ["site"]
        assert not leader.leads

    run(main())


def test_a_service_that_does_not_end_is_broken_off(tmp_path):
    async def main():
        ended = []

        async def serve(site, stopping):
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(True)

        leader = Leader(tmp_path, None, [], [Service("serve", serve)])
        leader.start()
        await until(lambda: leader.leads)
        await asyncio.sleep(0.02)
        await leader.stop(grace_s=0.05)
        assert ended == [True]

    run(main())


@pytest.mark.parametrize(
    ("failure", "event"),
    [(ValueError("a bug"), "service failed"), (TryLater("full"), "service put off")],
)
def test_a_service_that_fails_is_begun_again(tmp_path, caplog, monkeypatch, failure, event):
    monkeypatch.setattr(leading, "AGAIN_S", 0.01)

    async def main():
        begun = []

        async def serve(site, stopping):
            begun.append(True)
            raise failure

        leader = Leader(tmp_path, None, [], [Service("serve", serve)])
        leader.start()
        await until(lambda: len(begun) >= 2)
        await leader.stop()

    with caplog.at_level("INFO"):
        run(main())
    assert event in [record.getMessage() for record in caplog.records]
