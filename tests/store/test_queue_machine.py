"""Long random lives of a queue, beside a model of plain dictionaries that knows what must come out."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mailserver.base.ids import RecipientId
from mailserver.base.limits import QueueLimits
from mailserver.store.queue_filter import QueueFilter
from mailserver.store.queue_values import (
    CANCELLED,
    CLAIMED,
    DEFERRED,
    DELIVERED,
    EXPIRED,
    FAILED,
    HELD,
    OPEN,
    PENDING,
    AtOnce,
    Result,
)
from mailserver.store.store import Store, StoreOptions
from store.post import REFUSED, Post
from store.world import World

RUNNER = "me"
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # nothing here is about the disk
DOMAINS = ["a.test", "b.test", "c.test"]
BODIES = [b"one", b"two", b"three"]
HELD_DOMAIN = "c.test"


@dataclass
class Message:
    body: bytes
    release_at: int
    closed_at: int | None = None


@dataclass
class Recipient:
    message: Message
    domain: str
    destination: str
    state: str
    due_at: int | None
    attempts: int = 0
    is_held: bool = False  # or is to be once its attempt is over

    @property
    def is_open(self) -> bool:
        return self.state in OPEN


@dataclass
class Hop:
    backoff_until: int = 0
    is_paused: bool = False


class Life(RuleBasedStateMachine):
    """Rules do the same to the store and to the model; invariants compare them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY)
        self.world = World(Path(self.folder.name))
        self.world.close()
        limits = QueueLimits(bulk_after=2)
        options = StoreOptions(clock=self.world.clock, queue=limits)
        self.world.store = Store(Path(self.folder.name), options=options)
        self.world.store.open()
        self.post = Post(self.world)
        self.write = self.world.store.write_now
        self.write(lambda tx: tx.queue.take_over(RUNNER))
        self.recipients: dict[int, Recipient] = {}
        self.hops: dict[str, Hop] = {}
        self.has_rule = False

    def teardown(self) -> None:
        self.world.close()
        self.folder.cleanup()

    @property
    def now(self) -> int:
        return int(self.world.clock.now)

    def hop(self, name: str) -> Hop:
        return self.hops.setdefault(name, Hop())

    def some(self, data: st.DataObject) -> tuple[QueueFilter, list[Recipient]]:
        """A filter, and the recipients it means."""
        if data.draw(st.booleans()):
            domain = data.draw(st.sampled_from(DOMAINS))
            return QueueFilter(domain=domain), [
                r for r in self.recipients.values() if r.domain == domain
            ]
        chosen = data.draw(st.sets(st.integers(1, len(self.recipients) + 2), max_size=4))
        return QueueFilter(recipients=[RecipientId(id) for id in chosen]), [
            self.recipients[id] for id in chosen if id in self.recipients
        ]

    def finish(self, recipient: Recipient, state: str) -> None:
        recipient.state, recipient.due_at, recipient.is_held = state, None, False
        message = recipient.message
        others = [r for r in self.recipients.values() if r.message is message]
        if message.closed_at is None and not any(r.is_open for r in others):
            message.closed_at = self.now

    # rules

    @rule(
        domains=st.lists(st.sampled_from(DOMAINS), min_size=1, max_size=4),
        body=st.sampled_from(BODIES),
        later=st.sampled_from([0, 0, 50]),
        is_mine=st.booleans(),
        quick=st.sets(st.sampled_from(DOMAINS)),
    )
    def add(self, domains, body, later, is_mine, quick) -> None:
        message = Message(body, self.now + later)
        addresses = [f"{n}@{domain}" for n, domain in enumerate(domains)]
        due = {
            r.destination
            for r in self.recipients.values()
            if r.due_at is not None and r.due_at <= self.now
        }
        queued, claimed = self.post.enter(
            *addresses,
            raw=body,
            release_at=message.release_at if later else None,
            account=self.world.alice.id if is_mine else None,
            at_once=AtOnce(RUNNER, frozenset(quick)),
        )
        at_once = {r.id for one in claimed for r in one.recipients}
        ids = self.post.rows(
            "SELECT id FROM queued_recipient WHERE queued_id = ? ORDER BY id", queued
        )
        for (id,), domain in zip(ids, domains, strict=True):
            is_held = self.has_rule and domain == HELD_DOMAIN
            hop = self.hop(domain)
            is_at_once = id in at_once
            if is_at_once:  # only where it overtakes nobody and the destination is well
                assert domain in quick - due
                assert not is_held
                assert not later
                assert not hop.is_paused
                assert hop.backoff_until <= self.now
            self.recipients[id] = Recipient(
                message,
                domain,
                domain,
                HELD if is_held else CLAIMED if is_at_once else PENDING,
                None if is_held or is_at_once else message.release_at,
                is_held=is_held,
            )

    @rule(data=st.data(), most=st.integers(1, 3))
    def claim_some(self, data, most) -> None:
        """Never more messages than asked for, and nothing that is not due."""
        claimed = self.post.claim(most)
        per_hop: dict[int, int] = {}
        for one in claimed:
            per_hop[one.destination] = per_hop.get(one.destination, 0) + 1
            for recipient in one.recipients:
                known = self.recipients[recipient.id]
                assert known.due_at is not None
                assert known.due_at <= self.now
                assert one.queued.open > 0
                known.state, known.due_at = CLAIMED, None
        assert all(count <= most for count in per_hop.values())

    @rule()
    def claim_all(self) -> None:
        """Whatever is due, and whose destination neither is paused nor backs off, is handed out now."""
        wanted = {
            id
            for id, r in self.recipients.items()
            if r.due_at is not None
            and r.due_at <= self.now
            and not self.hops[r.destination].is_paused
            and self.hops[r.destination].backoff_until <= self.now
        }
        claimed = [r.id for one in self.post.claim(1000) for r in one.recipients]
        assert len(claimed) == len(set(claimed))
        assert set(claimed) == wanted
        for id in wanted:
            self.recipients[id].state, self.recipients[id].due_at = CLAIMED, None

    @rule(data=st.data(), later=st.integers(0, 100))
    def settle(self, data, later) -> None:
        results = []
        for id in data.draw(st.lists(st.integers(1, len(self.recipients) + 2), max_size=5)):
            state = data.draw(st.sampled_from([DELIVERED, DEFERRED, DEFERRED, FAILED, EXPIRED]))
            attempt = data.draw(st.sampled_from([REFUSED, REFUSED, None]))
            due_at = self.now + later if state == DEFERRED else None
            results.append(Result(RecipientId(id), state, due_at, attempt))
        settled = self.post.settle(*results)
        known = [result for result in results if result.recipient in self.recipients]
        assert [one.recipient for one in settled] == [result.recipient for result in known]
        for one, result in zip(settled, known, strict=True):
            recipient = self.recipients[result.recipient]
            recipient.attempts += result.attempt is not None
            if recipient.state == CLAIMED and recipient.is_held:
                recipient.state = HELD
            before = recipient.state
            if before in (CLAIMED, PENDING, DEFERRED) and result.state == DEFERRED:
                recipient.state, recipient.due_at = DEFERRED, result.due_at
            elif (
                before in (CLAIMED, PENDING, DEFERRED)
                or (before == HELD and result.state in (DELIVERED, FAILED))
                or (before == CANCELLED and result.state == DELIVERED)
            ):
                self.finish(recipient, result.state)
            assert one.state == recipient.state
            if recipient.state != before:
                assert one.took
        for one in settled:
            message = self.recipients[one.recipient].message
            assert not one.closed or message.closed_at == self.now

    @rule()
    def crash(self) -> None:
        """The leader dies; the next one begins with this."""
        claimed = [r for r in self.recipients.values() if r.state == CLAIMED]
        assert self.write(lambda tx: tx.queue.take_over(RUNNER)) == len(claimed)
        for recipient in claimed:
            recipient.state = HELD if recipient.is_held else DEFERRED
            recipient.due_at = None if recipient.is_held else self.now

    @rule(data=st.data())
    def hold(self, data) -> None:
        which, meant = self.some(data)
        meant = [r for r in meant if r.state in (PENDING, CLAIMED, DEFERRED)]
        assert self.write(lambda tx: tx.queue.hold(which)).number == len(meant)
        for recipient in meant:
            recipient.is_held, recipient.due_at = True, None
            if recipient.state != CLAIMED:
                recipient.state = HELD

    @rule(data=st.data())
    def release(self, data) -> None:
        which, meant = self.some(data)
        meant = [r for r in meant if r.is_held]
        assert self.write(lambda tx: tx.queue.release(which)).number == len(meant)
        for recipient in meant:
            recipient.is_held = False
            if recipient.state == CLAIMED:
                continue
            recipient.state = DEFERRED if recipient.attempts else PENDING
            recipient.due_at = max(self.now, recipient.message.release_at)

    @rule(data=st.data())
    def retry(self, data) -> None:
        which, meant = self.some(data)
        meant = [r for r in meant if r.due_at is not None]
        assert self.write(lambda tx: tx.queue.retry(which)).number == len(meant)
        for recipient in meant:
            recipient.due_at = max(self.now, recipient.message.release_at)
            self.hops[recipient.destination].backoff_until = 0

    @rule(data=st.data())
    def cancel(self, data) -> None:
        which, meant = self.some(data)
        meant = [r for r in meant if r.is_open]
        assert self.write(lambda tx: tx.queue.cancel(which)).number == len(meant)
        for recipient in meant:
            self.finish(recipient, CANCELLED)

    @rule(name=st.sampled_from(DOMAINS))
    def pause_or_resume(self, name) -> None:
        hop = self.hop(name)
        hop.is_paused = not hop.is_paused
        self.write(
            lambda tx: (tx.destinations.pause if hop.is_paused else tx.destinations.resume)(name)
        )

    @rule(name=st.sampled_from(DOMAINS), later=st.integers(0, 100), is_reached=st.booleans())
    def back_off_or_reach(self, name, later, is_reached) -> None:
        until = self.now + later

        def job(tx) -> bool:
            found = tx.destinations.find(name)
            if found is None:
                return False
            if is_reached:
                tx.queue.reached(found.id)
                return found.failures > 0
            tx.queue.back_off(found.id, until, "down")
            return True

        if self.write(job):
            self.hop(name).backoff_until = 0 if is_reached else until

    @rule(old=st.sampled_from(DOMAINS), new=st.sampled_from(DOMAINS))
    def reroute(self, old, new) -> None:
        self.write(
            lambda tx: tx.queue.reroute(lambda s, domain, a: new if domain == old else domain)
        )
        for recipient in self.recipients.values():
            if recipient.is_open:
                recipient.destination = new if recipient.domain == old else recipient.domain
                self.hop(recipient.destination)

    @rule()
    def rule_for_new_mail(self) -> None:
        def job(tx) -> None:
            if self.has_rule:
                tx.hold_rules.remove(tx.hold_rules.list()[0].id)
            else:
                tx.hold_rules.add("domain", HELD_DOMAIN)

        self.write(job)
        self.has_rule = not self.has_rule

    @rule(s=st.integers(1, 60))
    def time_passes(self, s) -> None:
        self.world.clock.now += s

    @rule()
    def forget(self) -> None:
        before = self.now - 30
        self.write(lambda tx: tx.queue.forget(before, 1000))
        self.recipients = {
            id: r
            for id, r in self.recipients.items()
            if r.message.closed_at is None or r.message.closed_at >= before
        }
        self.hops = {
            name: self.hops.get(name, Hop())
            for (name,) in self.post.rows("SELECT name FROM destination")
        }

    # what must be true at any time

    @invariant()
    def everything_is_as_in_the_model(self) -> None:
        rows = self.post.rows(
            "SELECT r.id, r.state, r.due_at, r.attempts, d.name FROM queued_recipient r"
            " JOIN destination d ON d.id = r.destination_id"
        )
        assert {row[0]: row[1:] for row in rows} == {
            id: (r.state, r.due_at, r.attempts, r.destination) for id, r in self.recipients.items()
        }

    @invariant()
    def a_body_is_kept_exactly_while_it_is_needed(self) -> None:
        wanted = {r.message.body for r in self.recipients.values() if r.message.closed_at is None}
        assert {body for (body,) in self.post.rows("SELECT data FROM blob")} == wanted

    @invariant()
    def the_next_wake_up_is_not_too_late(self) -> None:
        due = [
            max(r.due_at, self.hops[r.destination].backoff_until)
            for r in self.recipients.values()
            if r.due_at is not None and not self.hops[r.destination].is_paused
        ]
        next_due = self.post.next_due()
        assert (next_due is None) == (not due)
        if next_due is not None and next_due > self.now:
            assert next_due <= min(due)

    @invariant()
    def nothing_is_wrong(self) -> None:
        assert self.post.problems() == []


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=settings().max_examples // 2, stateful_step_count=30)
