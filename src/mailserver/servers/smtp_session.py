"""One SMTP connection: the loop around the engine that waits for the peer, the directory and the disk.

Spec: RFC 5321 §3.8, §4.5.3.2, §6.1; RFC 3207 §4.1; RFC 4954 §6.  Status: complete.
"""

import asyncio
import ssl
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from mailserver.base.errors import MailError, NotAllowed
from mailserver.mta import route
from mailserver.mta.receive import Transaction
from mailserver.mta.trace import Client
from mailserver.sasl.mechanism import Challenge
from mailserver.servers.entry import Entry
from mailserver.servers.judging import Judging, judging
from mailserver.servers.limits import Guest
from mailserver.servers.smtp_content import Intake
from mailserver.servers.smtp_login import LOGIN_LATER, log_in
from mailserver.servers.smtp_rates import Toll
from mailserver.servers.smtp_recipients import Recipients
from mailserver.servers.smtp_taking import LATER, STORAGE, SWITCHED_OFF, NotTaken, take
from mailserver.servers.smtp_trace import STAGE_OF, Story
from mailserver.servers.stream import Stream
from mailserver.smtp import events, replies
from mailserver.smtp.reply import Reply
from mailserver.smtp.server import Connection
from mailserver.store.values import Account

if TYPE_CHECKING:
    from mailserver.servers.smtp import Shared

LISTED = 10  #: ids of copies in a log line
TURN_S = 0.004  #: how long commands that came in one piece are answered before other connections have a turn
DONE = "done"  #: why a conversation ended that we or the client have ended in words
STOPPING_S = 5.0  #: how long an open transaction may stand still while the server stops

TIMEOUT = Reply(421, "4.4.2", "Timeout, closing connection")
STOPPING = Reply(421, "4.3.2", "Server is stopping, try again later")
EARLY_TALKER = Reply(554, "5.5.1", "You spoke before the greeting")


class Session:
    """Owns a connection until its end."""

    def __init__(self, shared: "Shared", stream: Stream, guest: Guest) -> None:
        context = shared.context
        self._shared = shared
        self._context = context
        self._limits = shared.service.limits
        self._stream = stream
        self._guest = guest
        self._log = guest.log
        self._client = Client(stream.peer, is_lmtp=shared.service.is_lmtp)
        self._connection = Connection(shared.service, is_tls=stream.is_tls, cleartext=False)
        self._know_channel()
        self._entry = Entry(context, stream.peer, guest.log)
        self._account: Account | None = None
        self._story = Story(context.keep_trace, guest.log, context.now)
        peer = "" if shared.service.is_lmtp else stream.peer  # who delivers by LMTP is one of us
        self._toll = Toll(context.guard.rates, peer, context.now)
        self._recipients = Recipients(shared, stream, self._toll, self._refuse, self._flush)
        self._judging: Judging | str = "not asked"
        self._transaction: Transaction | None = None
        self._intake = Intake(context)
        self._heard_at = stream.loop.time()  # when the client last finished something
        self._received = 0  # octets since then
        self._messages = 0

    async def run(self) -> None:
        """From the greeting to the end."""
        self._client.tls = self._stream.encryption
        self._log.info("connected", tls=self._client.tls)
        reason = "closed by client"
        try:
            self._judging = await self._judge()
            reason = await self._converse()
        except TimeoutError:
            reason = "timeout"
            self._connection.end(STOPPING if self._is_stopping else TIMEOUT)
            self._stream.write(self._connection.output())
        except ConnectionError as error:
            reason = f"connection lost: {error}"
        finally:
            if reason != DONE:
                self._story.broken_off(reason)
            self._drop()
            if isinstance(self._judging, Judging):
                self._judging.close()
            self._log.info("disconnected", reason=reason, messages=self._messages)

    async def _judge(self) -> Judging | str:
        """Who judges the client's mail, or why nobody does."""
        try:
            return await judging(self._shared, self._stream.peer)
        except MailError as error:  # mail is refused as well then, for now
            self._log.warning("mail is not judged", cause=str(error))
            return f"not possible: {error}"

    async def _converse(self) -> str:
        """Why the conversation ended."""
        connection = self._connection
        if not await self._greet():
            return "spoke before the greeting"
        clock = self._stream.loop.time
        began = clock()
        while True:
            event = connection.next()
            if event is None:
                if self._send():
                    await self._stream.drain()
                if connection.closed:
                    return DONE
                if not await self._listen():
                    return "closed by client"
                began = clock()
            elif isinstance(event, events.Flush):
                if self._send():
                    await self._stream.drain()
            elif isinstance(event, events.Ended):
                self._log.info("sent away", reply=str(event.reply))
                self._tell("connection", "patience", event.reply)
            else:
                said = self._handle(event)
                if said is not None and not isinstance(said, Reply):
                    said = await said
                if said is not None:
                    connection.answer(said)
                if not isinstance(event, events.Content):
                    self._heard_at = clock()
                    if self._heard_at - began > TURN_S:
                        await asyncio.sleep(0)
                        began = clock()

    def _handle(self, event: events.Event) -> Reply | Coroutine[Any, Any, Reply | None] | None:
        """The answer to *event*, or what waits for something and ends with it; None: it is answered already."""
        match event:
            case events.Recipient():
                return self._recipients.take_on(event, self._open())
            case events.Mail():
                return self._mail(event) if self._is_his_own(event) else self._his_mail(event)
            case events.Data():
                return self._begin_content()
            case events.EndOfData():
                return self._end_of_data(event)
            case events.Content():
                return self._content(event)
            case events.Chunk():
                return self._end_of_chunk(event)
            case events.Hello():
                self._drop()
                self._client.helo, self._client.is_esmtp = event.name, event.verb != "HELO"
                if isinstance(self._judging, Judging):
                    self._judging.hello(event.name)
            case events.Reset() | events.Quit():
                self._drop()
            case events.Auth():
                return self._auth(event)
            case events.StartTls():
                return self._start_tls(event)
            case events.Refused():
                return self._refused(event)
        return None

    async def _refused(self, event: events.Refused) -> None:
        self._log.debug("refused", command=event.verb, reply=str(event.reply))
        if event.verb in STAGE_OF:
            self._tell(STAGE_OF[event.verb], "grammar", event.reply)
        await self._slow_down(self._connection.errors - self._limits.errors // 2)

    async def _slow_down(self, errors: int) -> None:
        """Before the answer to one error too many, and to each after it twice as long."""
        if errors > 0:
            limits = self._limits
            longest_s = max(limits.longest_error_delay_s, limits.error_delay_s)
            await asyncio.sleep(min(limits.error_delay_s * 2 ** min(errors - 1, 20), longest_s))
            await self._flush()

    # -- waiting for the peer

    @property
    def _is_stopping(self) -> bool:
        return self._context.stopping.is_set()

    async def _greet(self) -> bool:
        """False for a client that does not wait for the greeting where one is asked to (RFC 5321 §3.1)."""
        if self._limits.greeting_delay_s:
            await asyncio.sleep(self._limits.greeting_delay_s)
            if self._stream.has_input:
                self._stream.write(bytes(EARLY_TALKER))
                return False
        return True

    def _send(self) -> bool:
        """Sends what is to be said; whether it has to be waited for then."""
        if said := self._connection.output():
            self._stream.write(said)
            self._stream.timeout_s = self._limits.idle_timeout_s
            return self._stream.must_drain
        return False

    async def _flush(self) -> None:
        if self._send():
            await self._stream.drain()

    async def _listen(self) -> bool:
        """Feeds the engine what comes next; False at the end of input."""
        stream, connection = self._stream, self._connection
        while True:
            if self._is_stopping and self._transaction is None:
                connection.end(STOPPING)
                return True
            stream.timeout_s = self._patience()
            if await stream.ready():
                break
        data = stream.take()
        self._received = self._received + len(data) if connection.in_data else 0
        if data:
            connection.now = int(self._context.now())
            connection.receive(data)
        return bool(data)

    def _patience(self) -> float:
        """Seconds to wait for more: a client that dribbles has to finish something all the same (RFC 5321 §4.5.3.2)."""
        limits, now = self._limits, self._stream.loop.time()
        if self._connection.in_data:
            earned = self._received / limits.data_rate
            left = self._heard_at + limits.data_timeout_s + earned - now
            return max(min(left, limits.data_timeout_s), 0.001)
        left = self._heard_at + limits.idle_timeout_s - now
        if self._is_stopping:
            left = min(left, STOPPING_S)
        return max(left, 0.001)

    # -- envelope

    def _is_his_own(self, event: events.Mail) -> bool:
        """Whether nobody need be asked if the sender may send it."""
        account, sender = self._account, event.sender
        if account is None or sender is None:
            return True
        return self._shared.is_his(account, sender, self._recipients.local)

    async def _his_mail(self, event: events.Mail) -> Reply:
        """A user begins: he may send as himself only."""
        account = self._account
        if account is not None and event.sender is not None:
            try:
                foreign = await self._shared.foreign(
                    account, [event.sender], self._recipients.local
                )
            except NotAllowed:
                return self._refuse("sender", SWITCHED_OFF, sender=str(event.sender))
            except MailError as error:
                return self._refuse("sender", LATER, cause=str(error), sender=str(event.sender))
            if foreign:
                text = f"{route.shown(event.sender)} is not an address of yours"
                return self._refuse("sender", Reply(550, "5.7.1", text), sender=str(event.sender))
        return self._mail(event)

    def _mail(self, event: events.Mail) -> Reply:
        account = self._account
        verdicts = self._toll.mail(account, event.sender)
        if (refusal := verdicts[-1].refusal) is not None:
            return self._refuse("message rate", refusal, sender=str(event.sender or ""))
        self._transaction = Transaction(self._shared.token(), self._client, event, account)
        self._transaction.verdicts += verdicts
        self._story.begin(self._transaction)
        if account is None and isinstance(self._judging, Judging):
            self._judging.mail(event.sender)
        return Reply(250, "2.1.0", f"{route.shown(event.sender)} OK")

    # -- content

    def _begin_content(self) -> Reply:
        try:
            is_judged = self._account is None and isinstance(self._judging, Judging)
            self._intake.begin(self._open(), changes=is_judged)
        except OSError as error:
            return self._refuse("content", STORAGE, cause=str(error))
        return replies.GO_AHEAD

    async def _content(self, event: events.Content) -> None:
        await self._intake.write(self._open(), event.data)

    async def _end_of_chunk(self, event: events.Chunk) -> None:
        reply = await self._chunk(event)
        self._connection.answer(reply)
        if not reply.is_positive:
            self._drop()

    async def _chunk(self, event: events.Chunk) -> Reply:
        if event.fault is not None:
            return self._refuse("content", event.fault)
        await self._intake.write(self._open(), event.data)
        if self._intake.trouble is not None:
            return self._refuse("content", STORAGE, cause=str(self._intake.trouble))
        return replies.chunk(event.size)

    async def _end_of_data(self, event: events.EndOfData) -> None:
        reply = await self._message(event)
        if self._shared.service.is_lmtp:
            self._connection.answer_each(self._each(reply))
        else:
            self._connection.answer(reply)
        self._drop()

    async def _message(self, event: events.EndOfData) -> Reply:
        transaction = self._open()
        facts = {"id": transaction.id, "size": event.size}
        self._story.content(event.size)
        if event.fault is not None:
            return self._refuse("content", event.fault, **facts)
        await self._intake.write(transaction, event.data, is_last=True)
        if self._intake.trouble is not None:
            return self._refuse("content", STORAGE, cause=str(self._intake.trouble), **facts)
        body = transaction.finish()
        try:
            said = await take(
                self._shared, transaction, body, self._recipients.local, self._judging
            )
        except (
            Exception
        ) as error:  # a bug of ours: this message is not taken, the connection goes on
            self._log.error("bug", error=error, **facts)
            return self._refuse("content", LATER, cause=f"bug: {type(error).__name__}", **facts)
        if isinstance(said, NotTaken):
            return self._refuse("content", said.reply, cause=said.cause, **facts)
        self._messages += 1
        self._log.info(
            "message accepted",
            sender=str(transaction.sender or ""),
            recipients=len(transaction.recipients),
            accounts=len(said.filed),
            messages=[filed.placed.message for filed in said.filed[:LISTED]],
            queued=said.queued[:LISTED],
            **facts,
        )
        reply = Reply(250, "2.0.0", f"Taken as {transaction.id}")
        self._story.taken(said.filed, reply, said.queued)
        self._story.filtered(said.notes)
        return reply

    def _each(self, reply: Reply) -> list[Reply]:
        """What LMTP says of each recipient (RFC 2033 §4.2)."""
        transaction = self._open()
        return [transaction.left_out.get(n, reply) for n in range(len(transaction.recipients))]

    # -- log-in and TLS

    async def _auth(self, event: events.Auth) -> Reply | None:
        """The answer to a claim; None where the mechanism has more to say."""
        account = await log_in(self._entry, event, self._log, self._limits.error_delay_s)
        if isinstance(account, Challenge):
            self._connection.go_on(account)
            return None
        if not isinstance(account, Account):
            return account
        try:
            self._connection.message_size = await self._shared.message_size(account)
        except MailError as error:
            self._log.warning("log-in not possible", cause=str(error))
            return LOGIN_LATER
        self._account = account
        self._client.is_authenticated = True
        self._guest.authenticated()
        self._log.info("logged in", account=account.address, mechanism=event.mechanism)
        return replies.LOGGED_IN

    async def _start_tls(self, event: events.StartTls) -> None:
        """The answer in clear, then the handshake; all that was known of the client is forgotten (RFC 3207 §4.2)."""
        if event.discarded:
            self._log.warning("input before the TLS handshake discarded", size=event.discarded)
        self._drop()
        self._account = None
        self._client = Client(self._stream.peer, is_lmtp=self._client.is_lmtp)
        self._connection.answer(replies.START_TLS)
        await self._flush()
        handshake_s = self._context.limits.connections.tls_handshake_s
        try:
            tls = self._context.tls
            is_for_users = self._shared.service.is_submission
            context = tls.for_users if is_for_users else tls.context
            await self._stream.start_tls(context, handshake_s)
        except (ssl.SSLError, ConnectionError, TimeoutError) as error:
            self._log.info("TLS handshake failed", reason=str(error) or type(error).__name__)
            raise ConnectionResetError("TLS handshake failed") from error
        self._know_channel()
        self._client.tls = self._stream.encryption
        self._log.info("encrypted", tls=self._client.tls)

    def _know_channel(self) -> None:
        """Whoever may log in does so over the connection as it is now."""
        if self._shared.service.is_submission:
            self._connection.channel = self._context.channel(self._stream)

    # -- helpers

    def _open(self) -> Transaction:
        assert self._transaction is not None  # the engine asks for it only after MAIL
        return self._transaction

    def _drop(self) -> None:
        """No transaction, and nothing left of one but its trace."""
        if self._transaction is not None:
            self._toll.end(self._story.size, is_taken=self._story.is_taken)
            self._story.end(self._client, self._name)
            self._transaction.discard()
            self._transaction = None
            if isinstance(self._judging, Judging):
                self._judging.drop()
            self._intake.end()

    @property
    def _name(self) -> str:
        return self._account.address if self._account is not None else ""

    def _refuse(self, what: str, reply: Reply, **facts: object) -> Reply:
        if self._account is not None:
            facts["account"] = self._account.address
        self._log.info("refused", what=what, reply=str(reply), **facts)
        reason = str(facts.get("cause") or facts.get("recipient") or "")
        sender = facts.get("sender")
        self._story.refused(
            self._client,
            self._name,
            (STAGE_OF[what], what, reply, reason),
            None if sender is None else str(sender),
            str(facts.get("recipient") or ""),
        )
        return reply

    def _tell(self, stage: str, what: str, reply: Reply) -> None:
        self._story.refused(self._client, self._name, (stage, what, reply, ""))
