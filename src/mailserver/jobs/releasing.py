"""The destination `local`: mail of users that waited for its time, filed here and passed on as the directory is now.

Spec: RFC 4865 §4; RFC 3461 §5.2.  Status: complete.

One message after the other, each in one write job with its results, so that no copy is filed twice.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import replace

from mailserver.base.errors import MailError, PeerError
from mailserver.base.ids import AccountId, RecipientId
from mailserver.base.log import Log
from mailserver.jobs.desk import Desk
from mailserver.jobs.outcomes import OUR_FAULT, Outcomes, Said
from mailserver.jobs.parcels import Parcel, result, split
from mailserver.mime.derived import Derived
from mailserver.mime.scan import derive
from mailserver.mta import relay
from mailserver.mta.leave import Departure, Leaving, leaving
from mailserver.mta.notice import Kind, Recipient
from mailserver.mta.notify import Terms as NoticeTerms
from mailserver.mta.release import FILED, Content, Filtered, Terms, envelope_of, release
from mailserver.mta.route import Route, Target, hops, route
from mailserver.servers.filtered import Post, filtered, together, variants
from mailserver.servers.filters import Filters, Mail
from mailserver.servers.smtp_filtering import rejected
from mailserver.sieve.header import Header
from mailserver.smtp.address import Address, parse_mailbox
from mailserver.smtp.outgoing import Answer, Stage
from mailserver.smtp.reply import Reply
from mailserver.store.domains import BLOB_THRESHOLD
from mailserver.store.queue_claiming import Due
from mailserver.store.queue_values import (
    DELIVERED,
    EXPIRED,
    FAILED,
    Attempt,
    Queued,
    QueuedRecipient,
    Result,
)
from mailserver.store.spool import Body, body_of
from mailserver.store.tx import Read, Write

AHEAD = 10  #: messages that are claimed ahead

log = Log("queue", destination="local")


class Release:
    """What a Lane is for other servers; is_dry: as there."""

    def __init__(self, desk: Desk, due: Due) -> None:
        self.is_dry = False
        self.is_doubtful = False
        self._site = desk.site
        self._notices = desk.notices
        self._changed = desk.changed
        self._outcomes = Outcomes(desk, due.destination)
        self._ready: deque[Parcel] = deque()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_over(self) -> bool:
        """Nothing is under way any more."""
        return self._task is None and not self._ready

    @property
    def held(self) -> int:
        """Octets of its parcels in memory."""
        return sum(parcel.held for parcel in self._ready)

    @property
    def ahead(self) -> list[RecipientId]:
        """Those that were claimed and wait for their turn."""
        return [recipient.id for parcel in self._ready for recipient in parcel.recipients]

    def drop(self, recalled: Collection[RecipientId]) -> None:
        """Nobody wants these to be sent any more."""
        self._ready, dropped = split(self._ready, recalled)
        self._outcomes.give_back(dropped)

    @property
    def wants(self) -> int:
        """How many parcels more it would take now."""
        return 0 if self.is_dry else max(0, AHEAD - len(self._ready))

    def put(self, parcels: list[Parcel]) -> None:
        """They were claimed."""
        self._ready.extend(parcels)
        self.spread()

    def spread(self) -> None:
        """Go on, if there is something to do."""
        if self._ready and self._task is None:
            self._task = asyncio.create_task(self._run())

    async def close(self, grace_s: float) -> None:
        """Finish what was begun; the rest is given back."""
        self._outcomes.give_back(self._ready)
        self._ready.clear()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while self._ready:
            parcel = self._ready.popleft()
            started = self._site.now()
            try:
                await self._release(parcel)
            except MailError as reason:  # the disk is full, the queue is
                self._later(parcel, Reply(451, "4.3.1", str(reason)), started)
            except Exception as error:
                log.error("a message could not be released", queued=parcel.message.id, error=error)
                self._later(parcel, OUR_FAULT.reply, started)
        self._task = None
        self._changed()

    async def _release(self, parcel: Parcel) -> None:
        site, blob = self._site, parcel.message.blob
        if blob is None:
            self._later(parcel, OUR_FAULT.reply, site.now())
            return
        raw = await site.work.read(lambda tx: tx.blobs.read(blob))
        message, raw = _unpacked(parcel.message, raw)
        body = await site.work.thread(lambda: body_of(raw))
        derived = await site.work.thread(lambda: derive(raw, site.limits.mime))
        header = raw[message.skip : derived.header_size]
        prepared = await site.work.prepare(body, BLOB_THRESHOLD)
        try:
            found = await self._filtered(message, parcel.recipients, raw, derived, header)
            content = Content(message, prepared, derived, header, found)

            def write(tx: Write) -> None:
                terms = Terms(
                    site.hostname,
                    site.limits.queue,
                    hops(tx, site.smarthost),
                    tx.routes.secret("srs"),
                )
                self._settle(tx, parcel, release(tx, content, parcel.recipients, terms))

            await site.work.write(write)
        except Exception:
            prepared.discard()
            raise

    async def _filtered(
        self,
        message: Queued,
        recipients: Sequence[QueuedRecipient],
        raw: bytes,
        derived: Derived,
        header: bytes,
    ) -> dict[AccountId, Filtered]:
        """What the scripts of the recipients want."""
        site = self._site
        now = int(site.now())
        routed = await site.work.read(lambda tx: _routed(tx, recipients, site.hostname, now))
        targets = [target for _, target in routed.values()]
        if not any(target.filters for target in targets):
            return {}
        sender = parse_mailbox(message.sender) if message.sender else None
        fields = Header.of(raw[: derived.header_size])
        mail = Mail(message.trace, sender, raw, len(raw), derived, fields)
        terms = NoticeTerms(site.hostname, site.limits, site.smarthost)
        known = {account: address for account, (address, _) in routed.items()}
        post = Post(terms, site.token, now)
        filters = Filters(site.work, site.limits)
        parts = await filtered(site.work, filters, mail, targets, known, header, post)
        table, key = await site.work.read(
            lambda tx: (hops(tx, site.smarthost), tx.routes.secret("srs"))
        )

        def leave(body: Body, whole: Derived, departures: Sequence[Departure]) -> list[Leaving]:
            envelope = replace(
                envelope_of(message._replace(skip=0), body.size, now), is_edited=True
            )
            return leaving(envelope, departures, whole, table, key, site.limits.queue)

        out = {}
        for account, part in parts.items():
            if part.rejection is not None:
                refusal = rejected(known[account], part.rejection.reason)
                out[account] = Filtered(refusal)
                continue
            all_of = together([part])
            edited = await variants(
                site.work,
                site.spool,
                site.limits,
                mail,
                all_of,
                local=raw[: message.skip],
                leave=leave,
            )
            out[account] = Filtered(None, all_of.copies, all_of.departures, edited, all_of.also)
        return out

    def _settle(self, tx: Write, parcel: Parcel, replies: Sequence[Reply]) -> None:
        """Writes down what became of each recipient, with the notices that belong to it."""
        message = parcel.message
        results = [
            self._result(message, recipient, reply, tx.now)
            for recipient, reply in zip(parcel.recipients, replies, strict=True)
        ]
        told: dict[Kind, list[Recipient]] = {}
        for to, reply, found in zip(parcel.recipients, replies, results, strict=True):
            attempt = found.attempt
            one = Recipient(
                to.address,
                to.original,
                to.notify,
                reply.status,
                reply.code,
                reply.text,
                at=attempt.at if attempt else None,
            )
            if found.state in (FAILED, EXPIRED):
                told.setdefault(Kind.FAILED, []).append(one)
            elif found.state == DELIVERED:
                kind = Kind.DELIVERED if reply == FILED else Kind.EXPANDED
                told.setdefault(kind, []).append(one)
        for kind, recipients in told.items():
            self._notices.file_now(tx, kind, message, recipients)
        tx.queue.settle(results)  # last: the content may go with it

    def _result(self, message: Queued, to: QueuedRecipient, reply: Reply, now: int) -> Result:
        verdict = relay.judge(Stage.END, reply.code, reply.status)
        attempt = Attempt(now, 0, "", "", "", reply.code, verdict.status, reply.text)
        return result(
            self._site.limits.queue,
            message,
            to,
            verdict.state,
            attempt,
            now=now,
            chance=self._site.chance(),
        )

    def _later(self, parcel: Parcel, reply: Reply, started: float) -> None:
        """Nothing of it was done; it is tried again."""
        answer = Answer(reply, Stage.END, is_ours=True)
        said = [Said(recipient, answer) for recipient in parcel.recipients]
        self._outcomes.tell(parcel, said, self._site.now() - started)


def _unpacked(message: Queued, raw: bytes) -> tuple[Queued, bytes]:
    """What a script sent on to one of ours: with its mark, and a Return-Path of its own."""
    if not message.prefix:
        return message, raw
    local = f"Return-Path: <{message.sender}>\r\n".encode()
    made = local + message.prefix + raw[message.skip :]
    size = len(made) - len(local)
    return message._replace(skip=len(local), prefix=b"", size=size), made


def _routed(
    tx: Read, recipients: Sequence[QueuedRecipient], hostname: str, now: int
) -> dict[AccountId, tuple[Address, Target]]:
    """Whom the recipients lead to here, each with the address that did."""
    out: dict[AccountId, tuple[Address, Target]] = {}
    for to in recipients:
        try:
            address = parse_mailbox(to.address)
        except PeerError:
            continue
        found = route(tx, address, hostname, now)
        if isinstance(found, Route):
            for target in found.targets:
                out.setdefault(target.account, (address, target))
    return out
