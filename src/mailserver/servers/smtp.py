"""SMTP on ports 25, 587 and 465, and LMTP: the sessions of one process and what they share.

Spec: RFC 5321 §2.1; RFC 6409 §3.1; RFC 8314 §3.3; RFC 2033 §3.  Status: complete.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mailserver.base.errors import NotAllowed, NotFound
from mailserver.directory.accounts import message_size
from mailserver.directory.addresses import normalise
from mailserver.directory.resolve import Why
from mailserver.mta import posting, srs
from mailserver.mta.findings import Trust, trust
from mailserver.mta.nexthop import Hops
from mailserver.mta.receive import Transaction
from mailserver.mta.route import (
    NoRoute,
    Route,
    elsewhere,
    hops,
    key,
    own,
    returned,
    route,
    to_others,
)
from mailserver.mta.routes import Routes
from mailserver.servers.backup import Backup
from mailserver.servers.checks import Checks
from mailserver.servers.context import Context, within
from mailserver.servers.filters import Filters
from mailserver.servers.limits import Guest
from mailserver.servers.smtp_session import Session
from mailserver.servers.stream import Stream
from mailserver.smtp.address import Address
from mailserver.smtp.service import Kind, Service
from mailserver.store.tx import Read
from mailserver.store.values import Account


def turned_away(hostname: str) -> tuple[bytes, bytes]:
    """What a client hears for whom there is no room, around the reason (RFC 5321 §3.8)."""
    return f"421 4.3.2 {hostname} ".encode(), b"\r\n"


@dataclass(slots=True)
class Shared:
    """What the sessions of one process have in common."""

    context: Context
    service: Service
    routes: Routes
    filters: Filters
    backup: Backup | None = None
    checks: Checks | None = None

    def token(self) -> str:
        """A name for a transaction that no other has."""
        return self.context.name()

    def known(
        self, transaction: Transaction, address: Address, local: str, now: float
    ) -> Route | None:
        """Where mail for *address* goes, as it was looked up a moment ago; None: ask `route`, for whatever reason.

        now: seconds of the loop's clock.
        """
        if srs.is_srs(address.localpart):
            return None
        routes = self.routes
        found = routes.get(key(address, local), now)
        if isinstance(found, Route):
            has_room = routes.has_room(found, transaction.declared)
            return found if has_room and not posting.is_restricted(found) else None
        if found is None or found.why is not Why.ELSEWHERE or transaction.account is None:
            return None
        by = transaction.sender.domain if transaction.sender is not None else ""
        return to_others(address) if routes.may_leave(normalise(address), by, now) else None

    async def route(
        self, transaction: Transaction, address: Address, local: str
    ) -> tuple[Route | NoRoute, bool]:
        """Where mail for *address* goes, and whether the declared size, at least, has room there.

        A user may send anywhere.  A refusal for lack of room always rests on a fresh look.  Raises MailError.
        """
        context, sender = self.context, transaction.sender
        now = int(context.now())
        if srs.is_srs(address.localpart):
            back = await context.work.read(
                lambda tx: returned(tx, address, sender, context.hostname, now)
            )
            if back is not None:
                return back, self.routes.has_room(back, transaction.declared)
        found, has_room = await self._ours(address, local, transaction.declared, now)
        if posting.is_restricted(found) and sender is not None:
            found = await self._permitted(found, transaction.account)
        if isinstance(found, Route) or found.why not in (Why.ELSEWHERE, Why.BACKUP):
            return found, has_room
        if transaction.account is not None:
            found = await self._elsewhere(address, sender, now)
        elif found.why is Why.BACKUP and self.backup is not None:
            treatment = found.treatment
            found = await self.backup.route(address, now)
            if isinstance(found, Route):
                found = replace(found, treatment=treatment)
        return found, True

    async def _permitted(self, found: Route | NoRoute, account: Account | None) -> Route | NoRoute:
        """*found* without the shared mailboxes that *account*, None for a stranger, may not send to."""
        if not isinstance(found, Route):
            return found
        known = found
        who = account.id if account is not None else None
        return await self.context.work.read(lambda tx: posting.permitted(tx, known, who))

    async def _elsewhere(
        self, address: Address, sender: Address | None, now: int
    ) -> Route | NoRoute:
        """The route of an address on another server; whatever is wrong with one rests on a fresh look."""
        routes, at = self.routes, normalise(address)
        by = sender.domain if sender is not None else ""
        asked_at = asyncio.get_running_loop().time()
        if routes.may_leave(at, by, asked_at):
            return to_others(address)
        table, _ = await self.hops()
        epoch = routes.epoch
        found = await self.context.work.read(lambda tx: elsewhere(tx, address, sender, table, now))
        if isinstance(found, Route):
            routes.put_leaving(at, by, asked_at, epoch)
        return found

    async def hops(self) -> tuple[Hops, bytes]:
        """What decides about next hops, and the key that senders are rewritten with.  Raises MailError."""
        routes, smarthost = self.routes, self.context.smarthost
        known = routes.hops
        if known is None:
            epoch = routes.epoch
            known = await self.context.work.read(
                lambda tx: (hops(tx, smarthost), tx.routes.secret("srs"))
            )
            if epoch == routes.epoch:
                routes.hops = known
        return known

    async def trust(self) -> Trust:
        """Whom an administrator trusts to pass on other people's mail.  Raises MailError."""
        routes = self.routes
        known = routes.trust
        if known is None:
            epoch = routes.epoch
            known = trust(await self.context.work.read(lambda tx: tx.trusted.list()))
            if epoch == routes.epoch:
                routes.trust = known
        return known

    async def _ours(
        self, address: Address, local: str, size: int, now: int
    ) -> tuple[Route | NoRoute, bool]:
        """What the directory says of *address*, and whether *size* octets have room."""
        routes, context = self.routes, self.context
        at = key(address, local)
        asked_at = asyncio.get_running_loop().time()
        found = routes.get(at, asked_at)
        if found is None or not routes.has_room(found, size):
            epoch = routes.epoch
            found = await context.work.read(lambda tx: route(tx, at, context.hostname, now))
            routes.put(at, found, asked_at, epoch)
        return found, routes.has_room(found, size)

    def is_his(self, account: Account, address: Address, local: str) -> bool:
        """Whether *account* may send as *address*, as it was looked up before; False: ask `foreign`."""
        return self.routes.may_send_as(account.id, key(address, local)) is True

    async def foreign(
        self, account: Account, addresses: Sequence[Address], local: str
    ) -> list[Address]:
        """Those of *addresses* that *account* may not send as.  Raises NotAllowed if it may send nothing any more."""
        routes = self.routes
        known = {
            address: routes.may_send_as(account.id, key(address, local)) for address in addresses
        }
        asked = [address for address, is_his in known.items() if is_his is None]
        if asked:
            keys = [key(address, local) for address in asked]
            epoch = routes.epoch
            answers = await self.context.work.read(lambda tx: self._own(tx, account, keys))
            for address, at, is_his in zip(asked, keys, answers, strict=True):
                known[address] = is_his
                routes.put_owned(account.id, at, is_his, epoch)
        return [address for address, is_his in known.items() if not is_his]

    async def message_size(self, account: Account) -> int:
        """Octets of the largest message that *account* may send.  Raises MailError."""
        most = self.service.limits.message_size
        own = await self.context.work.read(lambda tx: message_size(tx, account))
        return most if own is None else min(own, most)

    def _own(self, tx: Read, account: Account, keys: list[Address]) -> list[bool]:
        try:
            is_active = tx.accounts.get(account.id).is_active
        except NotFound:
            is_active = False
        if not is_active:
            raise NotAllowed("The account is switched off")
        return own(tx, account.id, keys, self.context.hostname)


@dataclass(slots=True)
class Smtp:
    """The protocol for all its listeners; `receive` and `submit` are their handlers.

    What the sessions share is made with the first connection, so that one object made before a fork does for each
    process.
    """

    _shared: dict[Kind, Shared] = field(default_factory=dict)
    _context: Context | None = None

    async def receive(self, stream: Stream, context: Context, guest: Guest) -> None:
        """Mail from other servers: port 25 (RFC 5321)."""
        await Session(self._begin(context)[Kind.MX], stream, guest).run()

    async def submit(self, stream: Stream, context: Context, guest: Guest) -> None:
        """Mail from users: ports 587 and 465 (RFC 6409 §3.1; RFC 8314 §3.3)."""
        await Session(self._begin(context)[Kind.SUBMISSION], stream, guest).run()

    async def deliver(self, stream: Stream, context: Context, guest: Guest) -> None:
        """Mail for our own domains from a server that hands it over at its queue's end: LMTP (RFC 2033).

        From UNIX sockets and configured networks; others hear why not.
        """
        if stream.peer and not within(stream.peer, context.lmtp_from):
            guest.log.warning("not allowed to deliver over LMTP")
            stream.write(b"554 5.7.1 LMTP is not for your address\r\n")
            return
        await Session(self._begin(context)[Kind.LMTP], stream, guest).run()

    def _begin(self, context: Context) -> dict[Kind, Shared]:
        if self._context is not context:
            routes = Routes()
            context.hub.watch_directory(routes.clear)
            filters = Filters(context.work, context.limits, context.upstream)
            context.hub.watch_directory(filters.clear)
            limits, asks = context.limits, context.primaries
            backup = (
                Backup(context.work, asks, limits.callout, context.hostname)
                if asks is not None
                else None
            )
            checks = (
                Checks(context.resolver, limits, context.hostname, context.now)
                if context.resolver is not None
                else None
            )
            self._shared = {
                kind: Shared(
                    context,
                    Service(
                        context.hostname,
                        kind,
                        has_tls=True,
                        limits=limits.smtp,
                        has_binary=True,
                    ),
                    routes,
                    filters,
                    backup,
                    checks,
                )
                for kind in Kind
            }
            self._context = context
        return self._shared
