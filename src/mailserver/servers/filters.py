"""Sieve at delivery: the scripts of each account compiled once, and run for each message.

Spec: RFC 5228 §2.10; RFC 6609 §3.1.  Status: complete.

A run is worth a tenth of a millisecond, less than the way to another thread: so it begins where the message is, with
few steps to go; whoever needs more, or asks the store, runs in a thread of the readers.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mailserver.base.errors import NotFound
from mailserver.base.ids import AccountId
from mailserver.base.limits import Limits
from mailserver.base.log import Log
from mailserver.directory.annotations import annotations
from mailserver.directory.lists import AccountLists
from mailserver.directory.scripts import loader
from mailserver.directory.sharing import taking_mail_of
from mailserver.directory.time_zones import local
from mailserver.mime import layout
from mailserver.mime.decode import Octets
from mailserver.mime.derived import Derived
from mailserver.mta.filtering import JUST_KEPT, Compiled, Plan, plan
from mailserver.mta.route import Target
from mailserver.servers.programs import Programs
from mailserver.servers.upstream import NOBODY, Upstream
from mailserver.servers.work import Work
from mailserver.sieve.environment import Environment
from mailserver.sieve.errors import ScriptError
from mailserver.sieve.extensions.imapsieve import NO_USER
from mailserver.sieve.header import Header
from mailserver.sieve.message import Message
from mailserver.smtp.address import Address
from mailserver.store.names import object_id
from mailserver.store.scripts import SETTINGS, Owner
from mailserver.store.tx import Read
from mailserver.store.values import Account

#: steps of a run on the loop; a millisecond at most
FEW: Final = 2_000
#: accounts whose compiled scripts are kept
KEPT: Final = 2_000
#: extensions that look at parts, and octets of a layout up to which that is little work
_PARTS: Final = frozenset({"body", "foreverypart", "mime", "replace", "enclose", "extracttext"})
_SMALL: Final = 32_768
#: extensions whose tests ask the store, first those that ask which mailboxes there are
_BOXES: Final = frozenset({"mailbox", "special-use", "mailboxid"})
_ASK: Final = _BOXES | {"duplicate", "extlists", "mboxmetadata", "servermetadata"}

#: of `environment` tests (RFC 5183 §4.1)
_ITEMS: Final = {"location": "MDA", "phase": "during", "name": "mailserver", **NO_USER}


@dataclass(frozen=True, slots=True)
class Mail:
    """A message that is about to be delivered.

    trace:  its name in the log.      header: its own, read once for all that look at it.
    client: the address of the machine it came from, "" where that is not known.
    """

    trace: str
    sender: Address | None
    raw: Octets
    size: int
    derived: Derived
    header: Header
    client: str = ""


class Filters:
    """All of one process.

    upstream: filters in front of this server, whose word scripts can ask.
    """

    def __init__(self, work: Work, limits: Limits, upstream: Upstream = NOBODY) -> None:
        self._work, self._limits, self._upstream = work, limits, upstream
        self._programs = Programs(limits.sieve, KEPT)
        self._few = replace(limits.sieve, steps=min(FEW, limits.sieve.steps))
        self._compiled: OrderedDict[AccountId, tuple[Compiled, ...]] = OrderedDict()
        self._epoch = 0
        self._log = Log("sieve")

    def clear(self) -> None:
        """Something in the directory changed; scripts are part of it."""
        self._compiled.clear()
        self._epoch += 1

    def asked(self, mail: Mail, targets: Iterable[Target]) -> list[Target]:
        """Those *targets* whose scripts may have something to say; the others just get it."""
        return [target for target in targets if target.filters and self._may_say(mail, target)]

    def _may_say(self, mail: Mail, target: Target) -> bool:
        scripts, steps = self._compiled.get(target.account), self._few.steps
        return scripts is None or any(
            script.program is None or script.program.has_a_say(mail.header, steps)
            for script in scripts
        )

    async def plans(
        self,
        mail: Mail,
        targets: Sequence[Target],
        recipients: Mapping[AccountId, Address],
        now: float,
    ) -> dict[AccountId, Plan]:
        """The plans of those *targets* whose scripts have something to say; the others just get it.

        recipients: of each target the address that led to it.  Raises MailError of the store.
        """
        out = {}
        for target in targets:
            if not target.filters:
                continue
            found = await self._plan(mail, target, recipients[target.account], now)
            if found == JUST_KEPT:
                continue
            out[target.account] = found
            for note in found.notes:
                self._log.info("filtered", trace=mail.trace, account=target.account, what=note)
        return out

    async def _plan(self, mail: Mail, target: Target, recipient: Address, now: float) -> Plan:
        scripts = self._compiled.get(target.account)
        if scripts is None:
            epoch = self._epoch
            scripts = await self._work.read(lambda tx: compiled(tx, target, self._programs))
            if epoch == self._epoch:
                self._compiled[target.account] = scripts
                if len(self._compiled) > KEPT:
                    self._compiled.popitem(last=False)
        environment = Environment(
            sender=str(mail.sender or ""),
            recipient=str(recipient),
            now=local(target.owner, now),
            items=_ITEMS,
            separators=target.separators,
            scores=self._upstream.of(mail.client),
        )
        programs = [script.program for script in scripts if script.program is not None]
        is_small = len(mail.derived.layout) <= _SMALL
        ask = _ASK if is_small else _ASK | _PARTS
        if not any(program.required & ask for program in programs):
            found = plan(scripts, message_of(mail), environment, self._few)
            if not found.error or self._few.steps == self._limits.sieve.steps:
                return found
        return await self._work.read(
            lambda tx: _in_store(tx, scripts, mail, target, environment, self._limits)
        )


def compiled(tx: Read, target: Target, programs: Programs) -> tuple[Compiled, ...]:
    """The scripts that mail for *target* goes through; what does not compile is there with its error."""
    load = loader(tx, Owner(account=target.account))
    out = []
    for ref in target.filters:
        try:
            name, script = tx.scripts.name(ref.id) or SETTINGS, tx.scripts.content(ref.id)
        except NotFound:  # removed a moment ago
            continue
        try:
            out.append(Compiled(name, programs.get(script, load)))
        except ScriptError as error:
            out.append(Compiled(name, None, error))
    return tuple(out)


def message_of(mail: Mail) -> Message:
    """The message as scripts see it."""
    found = mail.derived
    return Message(
        mail.raw, found.header_size, mail.size, lambda: layout.unpack(found.layout), mail.header
    )


def _in_store(
    tx: Read,
    scripts: tuple[Compiled, ...],
    mail: Mail,
    target: Target,
    environment: Environment,
    limits: Limits,
) -> Plan:
    """In a reader's thread, with all steps and what the store knows."""
    seen: list[tuple[str, int]] = []
    if target.owner is not None:
        environment = informed(tx, environment, target.owner, scripts, seen)
    return plan(scripts, message_of(mail), environment, limits.sieve, seen)


def informed(
    tx: Read,
    environment: Environment,
    owner: Account,
    scripts: Sequence[Compiled],
    seen: list[tuple[str, int]],
) -> Environment:
    """*environment* with what the store knows for the scripts of *owner*; seen: gets what they see."""
    now = int(environment.now.timestamp())

    def is_duplicate(key: str, seconds: int, renews: bool) -> bool:
        known = tx.sieve_memory.knows(owner.id, key, now)
        if renews or not known:
            seen.append((key, seconds))
        return known

    programs = [script.program for script in scripts if script.program is not None]
    if any(program.required & _ASK for program in programs):
        annotation = annotations(tx, owner.id)
        environment = replace(environment, is_duplicate=is_duplicate, annotation=annotation)
    if any(program.required & _BOXES for program in programs):
        environment = knowing(tx, owner, environment)
    return replace(environment, lists=AccountLists(tx, owner))


def knowing(tx: Read, owner: Account, environment: Environment) -> Environment:
    """*environment* with the mailboxes that *owner* has, and those of others that he may file into (RFC 5490 §3.1).

    Special uses are those of his own mailboxes: what somebody else keeps his junk in is not for this one's.
    """
    boxes = [box for box in tx.mailboxes.all(owner.id) if box.is_selectable]
    others = list(taking_mail_of(tx, owner))
    uses: dict[str, frozenset[str]] = {}
    for box in boxes:
        if box.special_use:
            use = box.special_use.lower()
            uses[use] = uses.get(use, frozenset()) | {box.name}
    return replace(
        environment,
        mailboxes=frozenset([*(box.name for box in boxes), *(name for name, _ in others)]),
        special_uses=uses,
        mailbox_ids=frozenset(object_id(box.id) for box in [*boxes, *(box for _, box in others)]),
    )
