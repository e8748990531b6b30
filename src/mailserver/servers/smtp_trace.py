"""What is told of one SMTP connection: a trace for each transaction, and for each refusal outside of one.

What happens is noted as it happens and handed over when the transaction ends; a thread writes it after the answer.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

from mailserver.base.log import Log
from mailserver.mta.check import STAGES, Verdict
from mailserver.mta.deliver import Filed
from mailserver.mta.receive import Transaction
from mailserver.mta.trace import Client
from mailserver.smtp.reply import Reply
from mailserver.store.trace_values import Copy, Reached, Step, Trace

STEPS = 500  #: kept of one transaction; a client that tries 10,000 recipients is not told in full
RECIPIENTS = 1_000
REMEMBERED = 2_000  #: verdicts as steps of a trace: most are said again and again
SHORT = 500  #: characters of the reason of such a one

#: at which stage it happens what is refused: commands, and parts of a transaction
STAGE_OF = {
    "MAIL": "mail",
    "sender": "mail",
    "RCPT": "rcpt",
    "recipient": "rcpt",
    "message rate": "mail",
    "recipient rate": "rcpt",
    "DATA": "data",
    "content": "data",
    "AUTH": "log-in",
}

Keep = Callable[[Trace], None]


class Story:
    """Collects what happens from MAIL to the last reply.

    now:            UTC epoch seconds.
    is_taken, size: of the transaction so far: the message is on disk, octets of content that have come.
    """

    __slots__ = (
        "_copies",
        "_keep",
        "_log",
        "_now",
        "_omitted",
        "_queued",
        "_reply",
        "_started_at",
        "_steps",
        "_transaction",
        "is_taken",
        "size",
    )

    def __init__(self, keep: Keep, log: Log, now: Callable[[], float]) -> None:
        self._keep = keep
        self._log = log
        self._now = now
        self._transaction: Transaction | None = None
        self._started_at = 0.0
        self._steps: list[Step] = []
        self._copies: tuple[Copy, ...] = ()
        self._queued: tuple[int, ...] = ()
        self.size = self._omitted = 0
        self.is_taken = False
        self._reply = ""

    def begin(self, transaction: Transaction) -> None:
        """MAIL was accepted."""
        self._transaction = transaction
        self._started_at = self._now()
        self._steps = []
        self._copies = self._queued = ()
        self.size = self._omitted = 0
        self.is_taken = False
        self._reply = ""

    def content(self, size: int) -> None:
        """The content has come, *size* octets of it."""
        self.size = size

    def taken(self, filed: Sequence[Filed], reply: Reply, queued: Sequence[int] = ()) -> None:
        """The message is on disk."""
        self.is_taken = True
        self._copies = tuple(
            Copy(f.target.account, f.target.mailbox, f.placed.uid, f.placed.message) for f in filed
        )
        self._queued = tuple(queued)
        self._reply = str(reply)

    def filtered(self, notes: Sequence[str]) -> None:
        """What the recipients' scripts decided."""
        self._steps += [Step("data", "sieve", note) for note in notes[:RECIPIENTS]]

    def refused(
        self,
        client: Client,
        account: str,
        step: tuple[str, str, Reply, str],
        sender: str | None = None,
        recipient: str = "",
    ) -> None:
        """The client heard a refusal; *step* is its stage, what decided, the reply, and the reason.

        recipient: whom it was about, if it was one.
        Outside of a transaction it becomes a trace of its own, with *sender* if there is one.
        """
        stage, what, reply, reason = step
        text = str(reply)
        if self._transaction is None:
            steps = (Step(stage, what, reason, text, recipient),)
            self._tell(client, account, sender, steps, text)
            return
        self._reply = text
        verdicts = self._transaction.verdicts
        if verdicts and verdicts[-1].refusal is reply:
            return  # told as that verdict
        if len(self._steps) < STEPS:
            self._steps.append(Step(stage, what, reason, text, recipient))
        else:
            self._omitted += 1

    def broken_off(self, reason: str) -> None:
        """The connection ends; noted if a transaction is open."""
        if self._transaction is not None:
            self._steps.append(Step("connection", "end", reason))

    def end(self, client: Client, account: str) -> None:
        """The transaction is over, harmless without one.  It is told if it came to anything."""
        transaction = self._transaction
        if transaction is None:
            return
        if self._steps or transaction.recipients:
            steps = [
                _known_step(found) if len(found.reason) <= SHORT else _step(found)
                for found in transaction.verdicts
            ]
            if self._steps:
                steps = sorted([*self._steps, *steps], key=_place)
            sender = str(transaction.sender or "")
            self._tell(client, account, sender, tuple(steps), self._reply)
        self._transaction = None

    def _tell(
        self,
        client: Client,
        account: str,
        sender: str | None,
        steps: tuple[Step, ...],
        reply: str,
    ) -> None:
        transaction, now = self._transaction, self._now()
        is_open = transaction is not None
        recipients = _reached(transaction) if transaction is not None else ()
        self._keep(
            Trace(
                id=transaction.id if transaction is not None else "",
                at_ms=int(now * 1000),
                took_ms=int((now - self._started_at) * 1000) if is_open else 0,
                is_taken=is_open and self.is_taken,
                listener=self._log.name,
                session=str(self._log.bound.get("session", "")),
                peer=client.peer,
                helo=client.helo,
                tls=client.tls,
                account=account,
                sender=sender,
                recipients=recipients[:RECIPIENTS],
                message_id=transaction.message_id if transaction is not None else "",
                size=self.size if is_open else 0,
                steps=steps,
                copies=self._copies if is_open else (),
                queued=self._queued if is_open else (),
                omitted=(self._omitted if is_open else 0) + max(len(recipients) - RECIPIENTS, 0),
                reply=reply,
            )
        )


_PLACES: dict[str, int] = {stage: place for place, stage in enumerate(STAGES)}


def _place(step: Step) -> int:
    """Where a step belongs; the end of the connection is the last."""
    return _PLACES.get(step.stage, len(_PLACES))


def _step(found: Verdict) -> Step:
    return Step(found.stage, found.check, found.reason, str(found.refusal or ""))


_known_step = lru_cache(maxsize=REMEMBERED)(_step)


def _reached(transaction: Transaction) -> tuple[Reached, ...]:
    return tuple(
        [
            Reached(
                str(recipient.address),
                tuple([target.account for target in route.targets]),
                tuple([str(remote.address) for remote in route.remotes]),
            )
            for recipient, route in zip(transaction.recipients, transaction.routes, strict=True)
        ]
    )
