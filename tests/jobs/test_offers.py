"""Mail that goes from its acceptance straight to a connection that stands."""

import asyncio
from dataclasses import replace

from jobs.post_office import QUICK, Office, post_office, run, to
from mailserver.jobs import offers
from mailserver.mta.leave import Leaving, put
from mailserver.servers.handover import Offer
from mailserver.store.blobs import Prepared
from mailserver.store.outcome import Outcome
from mailserver.store.queue_claiming import Claiming
from mailserver.store.queue_values import Entered, NewQueued, NewRecipient
from mailserver.store.spool import body_of
from mailserver.store.tx import Write
from misbehaving import NextHop

HEAD = b"Return-Path: <a@example.test>\r\n"


def letter(n: int) -> bytes:
    return b"From: a@example.test\r\nSubject: %d\r\n\r\n.dot\r\n" % n


def leaving(destination: str, n: int, *addresses: str) -> Leaving:
    raw = letter(n)
    new = NewQueued(
        f"t{n}", None, "a@example.test", None, len(HEAD), b"Delivered-To: x\r\n", len(raw) + 17, "submitted", None,
        False, False, False, "", "", f"<{n}@example.test>", str(n), None, None, 2**40,
    )  # fmt: skip  # type: ignore[arg-type]  # the blob is put in the job
    to = addresses or ("b@elsewhere.test",)
    return Leaving(new, [NewRecipient(address, "elsewhere.test", destination) for address in to])


async def accept(office: Office, away: Leaving) -> Offer | None:
    """What a session does with a message."""
    offer = office.site.handover.ask([away])
    raw = HEAD + letter(int(away.message.subject))

    def job(tx: Write) -> list[Entered]:
        blob = tx.blobs.put(Prepared(body_of(raw), raw, None, None))
        return put(tx, [away], blob, offer.at_once if offer else None)

    def then(outcome: Outcome[list[Entered]]) -> None:
        if offer is not None:
            claimed = [] if outcome.error else [c for e in outcome.result() for c in e.claimed]
            offer.end(claimed, raw)

    await office.site.work.write(job, is_pure=True, then=then)
    return offer


async def served(office: Office, hop: NextHop) -> None:
    """A connection stands."""
    await office.put(to(hop))
    await office.until("delivered")


def test_it_is_not_looked_for_in_the_queue(tmp_path, monkeypatch):
    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path) as office:
                assert await accept(office, leaving(to(hop), 0)) is None, "nobody is there yet"
                await office.until("delivered")
                monkeypatch.setattr(Claiming, "claim", None)  # would be a bug in the log
                for n in range(1, 6):
                    assert await accept(office, leaving(to(hop), n))
                await office.until(*["delivered"] * 6)
        assert hop.connections < 6
        contents = sorted(message.content for message in hop.messages)
        assert contents == [b"Delivered-To: x\r\n" + letter(n) for n in range(6)]

    run(main())


def test_there_is_room_for_so_many(tmp_path):
    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path, queue=replace(QUICK, recipients=2)) as office:
                await served(office, hop)
                ask, one = office.site.handover.ask, leaving(to(hop), 1)
                offers = []
                while (offer := ask([one])) is not None:
                    offers.append(offer)
                assert 10 <= len(offers) <= 40
                offers.pop().end([], None)
                await asyncio.sleep(0)
                assert ask([one, one]) is None
                offers += [ask([one])]
                assert offers[-1] is not None
                for offer in offers:
                    offer.end([], None)
                await asyncio.sleep(0)
                assert ask([leaving("elsewhere.test", 1)]) is None
                many = leaving(
                    to(hop), 1, "a@elsewhere.test", "b@elsewhere.test", "c@elsewhere.test"
                )
                assert ask([many]) is None, "more than one transaction takes"
                later = one._replace(message=one.message._replace(release_at=2**40))
                assert ask([later]) is None

    run(main())


def test_content_beyond_the_memory_is_read_from_the_store(tmp_path):
    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path, queue=replace(QUICK, memory=100)) as office:
                await served(office, hop)
                for n in range(1, 9):
                    await accept(office, leaving(to(hop), n))
                await office.until(*["delivered"] * 9)
        assert len(hop.messages) == 9

    run(main())


def test_what_comes_while_the_server_stops_is_given_back(tmp_path):
    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path) as office:
                await served(office, hop)
                away = leaving(to(hop), 1)
                offer = office.site.handover.ask([away])
                assert offer is not None
                stopping = asyncio.create_task(office.stop())
                await asyncio.sleep(0.1)
                assert not stopping.done(), "somebody may still commit a claim"
                assert office.site.handover.ask([away]) is None
                raw = HEAD + letter(1)

                def job(tx: Write) -> list[Entered]:
                    blob = tx.blobs.put(Prepared(body_of(raw), raw, None, None))
                    return put(tx, [away], blob, offer.at_once)

                (entered,) = await office.site.work.write(job)
                assert [c.queued.trace for c in entered.claimed] == ["t1"]
                offer.end(entered.claimed, raw)
                await stopping
                assert await office.states() == ["delivered", "deferred"]

    run(main())


def test_a_runner_that_was_followed_leaves_it_alone(tmp_path):
    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path) as office:
                await served(office, hop)
                away = leaving(to(hop), 1)
                offer = office.site.handover.ask([away])
                assert offer is not None
                await office.site.work.write(lambda tx: tx.queue.take_over("another"))
                assert await accept(office, leaving(to(hop), 2)) is not None
                offer.end([], None)
                assert (await office.states())[1] in ("pending", "claimed", "delivered")
                await office.until("delivered", "delivered")

    run(main())


def test_a_destination_that_wants_less_meanwhile_gets_nothing(tmp_path):
    async def main():
        busy = False

        def mail(_, line):
            return "421 4.7.0 Busy" if busy else None

        with NextHop({"MAIL": mail}) as hop:
            async with post_office(tmp_path) as office:
                await served(office, hop)
                promised = office.site.handover.ask([leaving(to(hop), 9)])
                assert promised is not None
                await asyncio.sleep(0.7)  # the connection has ended
                busy = True
                await accept(office, leaving(to(hop), 1))
                await office.until("delivered", "deferred")
                assert office.site.handover.ask([leaving(to(hop), 2)]) is None
                promised.end([], None)
                busy = False
                await office.hurry()
                await office.until("delivered", "delivered")

    run(main())


def test_it_leaves_while_the_next_transaction_is_put_on_disk(tmp_path, monkeypatch):
    """Where this process is the only one that writes; otherwise at once, so that the turn is kept from nobody."""
    monkeypatch.setattr(offers, "REST_S", 30.0)  # nothing else lets it go

    async def main():
        with NextHop() as hop:
            async with post_office(tmp_path) as office:
                await served(office, hop)
                assert await accept(office, leaving(to(hop), 1))
                await asyncio.sleep(0.3)
                assert len(hop.messages) == 1
                await office.site.work.write(lambda tx: tx.settings.set("colour", "green"))
                await office.until("delivered", "delivered")
                office.site.handover.is_alone = False
                assert await accept(office, leaving(to(hop), 2))
                await office.until(*["delivered"] * 3)
        assert len(hop.messages) == 3

    run(main())
