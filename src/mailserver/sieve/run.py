"""One run of a program with one message.

Spec: RFC 5228 §2.10.1 - §2.10.4, §2.10.6, §2.10.7.  Status: complete.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from mailserver.base.limits import SieveLimits
from mailserver.sieve.actions import Action, Discard, FileInto, Keep, Notify, Redirect, Reject
from mailserver.sieve.environment import Environment
from mailserver.sieve.errors import RunError
from mailserver.sieve.message import Message
from mailserver.sieve.mime_part import MimePart

if TYPE_CHECKING:
    from mailserver.sieve.program import Program

#: characters of a text that cost as much as a command
PIECE = 512


class Stop(Exception):
    """`stop`: the script ends here, and all is well (RFC 5228 §3.3)."""


class Return(Stop):
    """`return`: the same for an included script; the one that includes it goes on (RFC 6609 §3.3)."""


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    """One `foreverypart` of a script.  name: "" without one."""

    name: str


class Break(Exception):
    """`break`: the *loop* ends here (RFC 5703 §3)."""

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self.loop = loop


class Told(NamedTuple):
    """What a test said.  value, key: what matched, "" and "" where that is not known."""

    line: int
    test: str
    result: bool
    value: str
    key: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of the message.

    actions: in the order in which they were asked for, each once; a Keep that nobody wrote comes last.
    error:   why the run broke off; then the message is kept, and its owner is to hear of it (RFC 5228 §2.10.6).
    trace:   what the tests said, of programs that were compiled with it.
    """

    actions: tuple[Action, ...]
    error: RunError | None = None
    trace: tuple[Told, ...] = ()


def run(
    program: "Program", message: Message, environment: Environment, limits: SieveLimits
) -> Outcome:
    """Runs *program*; whatever it does, it ends, and the message goes somewhere unless the script discards it."""
    it = Run(message, environment, limits)
    try:
        program.main(it)
    except Stop:
        pass
    except RunError as error:
        return Outcome((Keep(is_implicit=True),), error, tuple(it.trace))
    actions = it.actions
    if it.keeps:
        actions.append(Keep(is_implicit=True, flags=it.flags, edited=message.edited()))
    return Outcome(tuple(actions), None, tuple(it.trace))


@dataclass(slots=True)
class Run:
    r"""What changes while a script runs.

    left:      steps that it may still take.
    keeps:     the implicit keep is in effect (RFC 5228 §2.10.2).
    is_taken:  the test of the last `if` or `elsif` was true, or it was an `else`.
    variables: by name in lower case, of the script that runs now.
    globals:   those of all scripts of this run; shared_names: which of them the script that runs now has declared
               (RFC 6609 §3.4).
    matches:   the match variables, the whole first (RFC 5229 §3.2).
    matched:   (value, key) of the last match, for the trace.
    edits:     header fields added so far.
    part:      the part that the innermost `foreverypart` has come to; None outside of all (RFC 5703 §3).
    changes:   parts replaced and messages enclosed so far; changed: octets of what was put there.
    included:  scripts that were included once (RFC 6609 §3.2).
    flags:     the internal variable of imap4flags; None while the script does not touch it (RFC 5232 §2).
    """

    message: Message
    environment: Environment
    limits: SieveLimits
    left: int = 0
    actions: list[Action] = field(default_factory=list)
    keeps: bool = True
    is_taken: bool = False
    variables: dict[str, str] = field(default_factory=dict)
    globals: dict[str, str] = field(default_factory=dict)
    shared_names: frozenset[str] = frozenset()
    matches: tuple[str, ...] = ()
    matched: tuple[str, str] = ("", "")
    flags: tuple[str, ...] | None = None
    edits: int = 0
    part: MimePart | None = None
    changes: int = 0
    changed: int = 0
    included: set[object] = field(default_factory=set)
    trace: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.left = self.limits.steps
        self.flags = self.environment.flags

    def spend(self, steps: int, line: int = 0) -> None:
        """Count *steps*.  Raises RunError when there were too many (RFC 5228 §10)."""
        self.left -= steps
        if self.left < 0:
            raise RunError(f"the script takes too long: more than {self.limits.steps} steps", line)

    def value(self, name: str | int) -> str:
        """The value of a variable or, by number, of a match variable; "" for what is not set."""
        if isinstance(name, int):
            return self.matches[name] if name < len(self.matches) else ""
        if name.startswith("global."):
            return self.globals.get(name[7:], "")
        if name in self.shared_names:
            return self.globals.get(name, "")
        return self.variables.get(name, "")

    def tell(self, line: int, test: str, result: bool) -> None:
        """Note what a test said, as long as there is room."""
        if len(self.trace) < 10_000:
            value, key = self.matched
            self.trace.append(Told(line, test, result, value[:200], key[:200]))

    def change(self, octets: int, line: int) -> None:
        """Count a change of the message's content.  Raises RunError for one too many, or too much."""
        self.changes += 1
        self.changed += octets
        if self.changes > self.limits.changes:
            raise RunError(f"a script may change a message {self.limits.changes} times", line)
        if self.changed > self.limits.changed_size:
            raise RunError(f"a script may write {self.limits.changed_size} octets", line)

    # actions

    def do(self, action: Action) -> None:
        """Note *action*, once.  Raises RunError for one too many, or one that contradicts another."""
        line = action.line
        if isinstance(action, Reject):
            if any(isinstance(a, Keep | FileInto | Redirect | Reject) for a in self.actions):
                raise RunError("a message cannot be rejected and go somewhere as well", line)
        elif isinstance(action, Keep | FileInto | Redirect) and any(
            isinstance(a, Reject) for a in self.actions
        ):
            raise RunError("the message was rejected, it can go nowhere else", line)
        if self._is_known(action):
            return
        if len(self.actions) >= self.limits.actions:
            raise RunError(f"a script may do {self.limits.actions} things at most", line)
        if isinstance(action, Redirect):
            count = sum(isinstance(a, Redirect) for a in self.actions)
            if count >= self.limits.redirects:
                raise RunError(f"a script may redirect to {self.limits.redirects} addresses", line)
        if isinstance(action, Notify):
            count = sum(isinstance(a, Notify) for a in self.actions)
            if count >= self.limits.notifications:
                raise RunError(f"a script may notify {self.limits.notifications} times", line)
        self.actions.append(action)

    def _is_known(self, action: Action) -> bool:
        """The same mailbox or address again changes nothing but the flags (RFC 5228 §2.10.3; RFC 5232 §3)."""
        for at, known in enumerate(self.actions):
            if type(known) is not type(action):
                continue
            if isinstance(action, Redirect) and isinstance(known, Redirect):
                if known.address.lower() == action.address.lower():
                    return True
            elif isinstance(action, FileInto) and isinstance(known, FileInto):
                if known.place == action.place:
                    self.actions[at] = action
                    return True
            elif isinstance(action, Keep | Discard):
                self.actions[at] = action
                return True
        return False
