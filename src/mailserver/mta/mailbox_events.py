"""What the scripts for events in a mailbox make of one message in it: a plan that a job carries out.

Spec: RFC 6785 §3.  Status: complete.

The message in the mailbox never changes but for its flags; what is filed elsewhere or sent on is a copy.  Nothing is
expunged: what is not kept is marked \\Deleted, as the user's program shows and undoes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mailserver.base.limits import SieveLimits
from mailserver.mta.filtering import Compiled
from mailserver.sieve import registry
from mailserver.sieve.actions import Action, FileInto, Keep, Notify, Redirect
from mailserver.sieve.compiler import Loader, compile_script
from mailserver.sieve.environment import Environment
from mailserver.sieve.errors import ScriptError
from mailserver.sieve.extensions.imapsieve import AT_DELIVERY
from mailserver.sieve.message import Message
from mailserver.sieve.run import run


@dataclass(slots=True)
class EventPlan:
    """What becomes of the message.

    added, removed: of its flags and keywords.     is_deleted: it is marked so.
    seen:  what the scripts have seen: key -> seconds for which it is remembered.
    error: what is wrong with a script, for its owner; then nothing is done.
    """

    copies: list[FileInto] = field(default_factory=list)
    redirects: list[Redirect] = field(default_factory=list)
    notifications: list[Notify] = field(default_factory=list)
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    is_deleted: bool = False
    seen: Sequence[tuple[str, int]] = ()
    notes: list[str] = field(default_factory=list)
    error: str = ""


def compile_for_events(name: str, script: bytes, limits: SieveLimits, load: Loader) -> Compiled:
    """*script* without what only a delivery can do (RFC 6785 §3.11)."""
    registry.load()
    available = registry.CAPABILITIES - AT_DELIVERY
    try:
        return Compiled(name, compile_script(script, limits, available=available, load=load))
    except ScriptError as error:
        try:
            whole = compile_script(script, limits, load=load)
        except ScriptError:
            return Compiled(name, None, error)
        used = ", ".join(sorted(whole.required & AT_DELIVERY))
        why = f"{used} cannot be used for what happens in mailboxes, only when mail is delivered"
        return Compiled(name, None, ScriptError(error.place, why, error.script))


def plan_event(
    scripts: Sequence[Compiled],
    message: Message,
    environment: Environment,
    limits: SieveLimits,
    seen: Sequence[tuple[str, int]] = (),
) -> EventPlan:
    """The plan of *scripts*, one after the other as long as the message is kept, each with the flags of the one before.

    seen: filled by the environment while they run.  An error in one of them: nothing is done at all.
    """
    plan = EventPlan(seen=seen)
    flags = before = environment.flags or ()
    for script in scripts:
        if script.program is None:
            return EventPlan(error=f'script "{script.name}": {script.error}')
        done = run(script.program, message, replace(environment, flags=flags), limits)
        if done.error is not None:
            return EventPlan(error=f'script "{script.name}": {done.error}')
        kept = None
        for action in done.actions:
            kept = action if isinstance(action, Keep) else kept
            _add(plan, script.name, action)
        plan.is_deleted = kept is None
        if kept is None:
            break
        flags = kept.flags or ()
    was, now = ({name.lower(): name for name in names} for names in (before, flags))
    plan.added = tuple(name for low, name in now.items() if low not in was)
    plan.removed = tuple(name for low, name in was.items() if low not in now)
    return plan


def _add(plan: EventPlan, script: str, action: Action) -> None:
    match action:
        case FileInto():
            plan.copies.append(action)
            what = f'copied into "{action.mailbox}"'
        case Redirect():
            plan.redirects.append(action)
            what = f"sent on to {action.address}"
        case Notify():
            plan.notifications.append(action)
            what = f"notified {', '.join(action.told)}"
        case _:
            return
    plan.notes.append(f'script "{script}", line {action.line}: {what}')
