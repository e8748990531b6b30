"""One connection to a destination: it takes one parcel after the other, and tells what became of each.

Spec: RFC 5321 §3.3, §4.5.3.1.10, §5.1; RFC 8689 §4.2.1.  Status: complete.
"""

import asyncio
from typing import TYPE_CHECKING

from mailserver.jobs.fitting import Fitted, Unfit
from mailserver.jobs.outcomes import BROKEN_OFF, OUR_FAULT, Said, of_connection, of_try
from mailserver.jobs.parcels import Parcel
from mailserver.jobs.reaching import ANYTHING, Need, Unreached, reach
from mailserver.jobs.slots import Slot
from mailserver.net.smtp import OutboundConnection
from mailserver.smtp.outgoing import Answer, Stage
from mailserver.store.queue_values import DELIVERED

if TYPE_CHECKING:
    from mailserver.jobs.lane import Lane

RETURNS = 2  #: times that a parcel may come back untried from connections that had ended
MOST_ELSEWHERE = 3  #: further hosts that are given the message in one attempt


class Courier:
    """One connection's task.

    is_connected: it has a connection; otherwise it is making one.
    """

    def __init__(self, lane: "Lane", slot: Slot) -> None:
        self.is_connected = False
        self.task: asyncio.Task[None] | None = None
        self._lane = lane
        self._slot = slot
        self._site = lane.desk.site
        self._limits = lane.desk.site.limits.queue
        self._loop = asyncio.get_running_loop()
        self._connection: OutboundConnection | None = None
        self._parcel: Parcel | None = None
        self._is_sending = False

    @property
    def held(self) -> int:
        """Octets of its parcel in memory."""
        return self._parcel.held if self._parcel is not None else 0

    def start(self) -> None:
        """Begin."""
        self.task = asyncio.create_task(self._run())

    def hurry(self) -> None:
        """The server stops: what was not begun is not begun any more."""
        if self.task is not None and not self._is_sending:
            self.task.cancel()

    async def _run(self) -> None:
        try:
            while (parcel := await self._next()) is not None:
                self._parcel = parcel
                goes_on = await self._carry(parcel)
                self._parcel = None
                if not goes_on:
                    break
        except asyncio.CancelledError:
            self._broken_off()
        finally:
            self.is_connected = False
            if self._connection is not None:
                self._connection.close()
            self._slot.release()
            self._lane.ended(self)

    async def _next(self) -> Parcel | None:
        """The next parcel; waits for one while the connection may be kept.  None: the connection is to end."""
        if self._lane.is_too_wide:
            return None
        parcel = self._lane.take()
        until = self._loop.time() + self._limits.idle_connection_s
        while parcel is None and self._connection is not None:
            left = until - self._loop.time()
            is_short = self._lane.desk.slots.to_spare <= 0
            if left <= 0 or not self._connection.is_reusable or not self._slot.rest():
                break
            if is_short:  # others wait for the slot
                self._lane.desk.changed()
            await self._lane.wait(left)
            self._slot.go_on()
            parcel = self._lane.take()
        return parcel

    async def _carry(self, parcel: Parcel) -> bool:
        """Sends *parcel*, whatever happens: afterwards it is written down, or in the lane again.

        False when no connection could be made.
        """
        started = self._loop.time()
        try:
            if parcel.needs_own_way:
                await self._send_elsewhere(parcel, [], started)
            else:
                connection = await self._connected()
                await self._send(parcel, connection, started)
        except Unreached as trouble:
            self._slot.go_on()
            self._lane.unreached(parcel, trouble, self._loop.time() - started)
            return False
        except Exception as error:
            self._lane.log.error(
                "a message could not be sent", queued=parcel.message.id, error=error
            )
            self._is_sending = False
            self._slot.go_on()
            parcel = self._parcel or parcel
            ours = [Said(r, OUR_FAULT) for r in parcel.recipients]
            self._lane.outcomes.tell(parcel, ours, self._loop.time() - started)
        return True

    async def _connected(self) -> OutboundConnection:
        """The connection, another one if it can carry no more.  Raises Unreached."""
        connection = self._connection
        if connection is not None:
            if connection.is_reusable and connection.sent < self._limits.per_connection:
                return connection
            connection.close()
            self._connection = None
            self.is_connected = False
        self._connection = await self._reach(ANYTHING)
        self.is_connected = True
        self._lane.reached()
        return self._connection

    async def _reach(self, need: Need) -> OutboundConnection:
        lane = self._lane
        self._slot.wait(self._loop.time())
        connection = await reach(
            self._site.ways, lane.name, lane.hop, self._limits.hosts, self._site.chance, need
        )
        self._slot.go_on()
        return connection

    async def _send(self, parcel: Parcel, connection: OutboundConnection, started: float) -> None:
        answers = await self._transact(parcel, connection)
        if _is_stale(answers, connection) and parcel.returns < RETURNS:
            parcel.returns += 1
            self._lane.put_back(parcel)
            return
        said = of_connection(connection, parcel.recipients, answers)
        again = [one for one in said if _is_one_too_many(one, said)]
        elsewhere = [one for one in said if one.verdict.is_elsewhere and one not in again]
        self._tell(parcel, [one for one in said if one not in again + elsewhere], started)
        if again:
            self._lane.put_back(parcel.part([one.recipient for one in again]))
        if elsewhere:
            rest = parcel.part([one.recipient for one in elsewhere])
            rest.avoid.add(connection.hop.host)
            await self._send_elsewhere(rest, elsewhere, started)

    async def _send_elsewhere(self, parcel: Parcel, said: list[Said], started: float) -> None:
        """Sends over connections of its own, past the hosts to avoid; *said* counts where there are no others."""
        self._parcel = parcel
        for _ in range(MOST_ELSEWHERE):
            message = parcel.message
            need = Need(
                message.needs_tls, not message.sender, parcel.avoid, waives_tls=message.waives_tls
            )
            try:
                connection = await self._reach(need)
            except Unreached as trouble:
                self._slot.go_on()
                said = said or of_try(parcel.recipients, trouble.worst)
                break
            try:
                answers = await self._transact(parcel, connection)
            finally:
                connection.close()
            found = of_connection(connection, parcel.recipients, answers)
            said = [one for one in found if one.verdict.is_elsewhere]
            self._tell(parcel, [one for one in found if one not in said], started)
            if not said:
                break
            parcel = self._parcel = parcel.part([one.recipient for one in said])
            parcel.avoid.add(connection.hop.host)
        self._tell(parcel, said, started)

    async def _transact(self, parcel: Parcel, connection: OutboundConnection) -> tuple[Answer, ...]:
        desk, capabilities = self._lane.desk, connection.capabilities
        fitting, signer = desk.fitting, desk.signer
        try:
            if (as_it_is := fitting.as_it_is(parcel, capabilities)) is not None:
                answers = await self._say(await signer.signed(parcel, as_it_is), connection)
            else:
                async with fitting.fit(parcel, capabilities) as fitted:
                    answers = await self._say(await signer.signed(parcel, fitted), connection)
        except Unfit as trouble:
            answers = (trouble.answer,) * len(parcel.recipients)
        self._is_sending = False
        self._slot.go_on()
        return answers

    async def _say(self, fitted: Fitted, connection: OutboundConnection) -> tuple[Answer, ...]:
        self._slot.wait(self._loop.time())
        self._is_sending = True
        return await connection.send(*fitted)

    def _tell(self, parcel: Parcel, said: list[Said], started: float) -> None:
        """Writes down what was *said*, and what it means for the destination."""
        if not said:
            return
        lane, seconds = self._lane, self._loop.time() - started
        verdicts = [one.verdict for one in said]
        crowded = next((one for one in said if one.verdict.is_crowded), None)
        lane.outcomes.tell(parcel, said, seconds, reached=crowded is None and lane.is_back())
        if crowded is not None:
            lane.crowded(str(crowded.answer.reply))
        elif any(one.answer.is_ours and one.answer.stage in _MIDWAY for one in said):
            lane.stumbled()
        elif any(verdict.state == DELIVERED for verdict in verdicts):
            lane.took()

    def _broken_off(self) -> None:
        """The server stops before this was over."""
        parcel, self._parcel = self._parcel, None
        if parcel is None:
            return
        if self._is_sending:
            said = [Said(r, BROKEN_OFF) for r in parcel.recipients]
            self._lane.outcomes.tell(parcel, said, 0.0)
        else:
            self._lane.outcomes.give_back([parcel])


#: where a connection that is lost says something of the destination
_MIDWAY = (Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.END)


def _is_stale(answers: tuple[Answer, ...], connection: OutboundConnection) -> bool:
    """Whether a connection that had served before was at its end: nothing is said of this message then."""
    return connection.sent > 1 and all(
        answer.reply.code == 421 and not (answer.is_ours and answer.stage is Stage.END)
        for answer in answers
    )


def _is_one_too_many(one: Said, said: list[Said]) -> bool:
    """Whether the server took others now, and this recipient may be in the next transaction (RFC 5321 §4.5.3.1.10)."""
    reply, stage = one.answer.reply, one.answer.stage
    return (
        stage is Stage.RCPT
        and not one.answer.is_ours
        and reply.code in (452, 552)
        and reply.status[1:] in (".5.3", ".0.0")
        and any(other.answer.stage is Stage.END for other in said)
    )
