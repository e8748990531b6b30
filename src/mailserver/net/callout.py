"""Whether an address of a backup domain exists: its primary servers are asked, as if a notice were on its way.

Spec: RFC 5321 §3.6.1, §4.5.5, §7.8.  Status: complete.

A backup that takes mail for addresses that do not exist has to return it later, to senders that are mostly forged.  So
it asks first.  Who asks about an address that is being asked about already gets the same answer.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from mailserver.base.limits import CalloutLimits
from mailserver.base.log import Log
from mailserver.smtp.outgoing import Answer, Stage
from mailserver.smtp.reply import Reply

log = Log("callout")


class Asking(Protocol):
    """A connection to a primary server (`net/smtp.py`)."""

    async def probe(self, address: str) -> Answer:
        """What it says of *address*."""

    def close(self) -> None:
        """Done with it."""


class Unreachable(Exception):
    """No primary server takes a connection; the text is for the log and the client."""


class Verdict(NamedTuple):
    """is_known: None when nobody could say.  reply: what was said, by the server or by us."""

    is_known: bool | None
    reply: Reply


class Callouts:
    """The questions of one process.  It remembers nothing once they are answered; whoever asks may."""

    def __init__(self, limits: CalloutLimits, reach: Callable[[str], Awaitable[Asking]]) -> None:
        """reach: a connection to a primary server of a domain; raises Unreachable."""
        self._limits = limits
        self._reach = reach
        self._asking: dict[str, asyncio.Task[Verdict]] = {}
        self._domains: dict[str, int] = {}

    async def ask(self, address: str, domain: str) -> Verdict:
        """What the primary servers of *domain* say of *address*, within `total_s`."""
        task = self._asking.get(address)
        if task is None:
            busy = self._domains.get(domain, 0)
            if len(self._asking) >= self._limits.questions or busy >= self._limits.per_domain:
                return Verdict(None, BUSY)
            self._domains[domain] = busy + 1
            task = asyncio.get_running_loop().create_task(self._ask(address, domain))
            self._asking[address] = task
            task.add_done_callback(lambda _: self._done(address, domain))
        return await asyncio.shield(task)

    def _done(self, address: str, domain: str) -> None:
        del self._asking[address]
        self._domains[domain] -= 1
        if not self._domains[domain]:
            del self._domains[domain]

    async def _ask(self, address: str, domain: str) -> Verdict:
        try:
            async with asyncio.timeout(self._limits.total_s):
                connection = await self._reach(domain)
                try:
                    answer = await connection.probe(address)
                finally:
                    connection.close()
        except TimeoutError:
            found = Verdict(None, SILENT)
        except Unreachable as error:
            found = Verdict(None, Reply(450, "4.4.1", str(error)))
        else:
            found = judge(answer)
        log.info(
            "asked the primary server",
            address=address,
            is_known=found.is_known,
            reply=str(found.reply),
        )
        return found


SILENT = Reply(450, "4.4.3", "the domain's primary servers do not answer in time")
BUSY = Reply(450, "4.3.2", "too many questions to the domain's primary servers are open")


def judge(answer: Answer) -> Verdict:
    """What the reply to a probe says of the address.

    Only a 5yz to RCPT that is about the recipient says that there is none: one to MAIL is about the null sender, one
    with a status of policy or routing (5.7.z, 5.4.z) about us.
    """
    reply = answer.reply
    if answer.stage is Stage.RCPT and not answer.is_ours:
        if reply.is_positive:
            return Verdict(True, reply)
        if reply.is_permanent and not reply.status.startswith(("5.7.", "5.4.")):
            return Verdict(False, reply)
    return Verdict(None, reply)
