"""variables: set, and the test string.

Spec: RFC 5229.  Status: complete.
"""

import re
from collections.abc import Callable
from typing import TypeAlias

from mailserver.sieve.arguments import Args
from mailserver.sieve.comparators import capitals, fold_ascii
from mailserver.sieve.errors import RunError
from mailserver.sieve.matching import matcher
from mailserver.sieve.registry import STRING, STRINGS, Check, Step, command, tag, test
from mailserver.sieve.run import Run
from mailserver.sieve.strings import NAME, value_of

_WILD = re.compile(r"[*?\\]")


def _first(change: Callable[[str], str]) -> Callable[[str], str]:
    return lambda value: change(value[:1]) + value[1:]


Change: TypeAlias = Callable[[str], str]

#: by precedence, the first applied first (RFC 5229 §4.1; RFC 5435 §6): name -> what it does
_MODIFIERS: tuple[dict[str, Change], ...] = ({}, {}, {}, {}, {})
_PRECEDENCES = (40, 30, 20, 15, 10)


def modifier(
    name: str, *, precedence: int, capability: str = "variables"
) -> Callable[[Change], Change]:
    """Register the decorated function as a modifier of `set`; of one precedence there can be one."""

    def register(change: Change) -> Change:
        rank = _PRECEDENCES.index(precedence)
        tag(name, of=("modifier",), group=f"modifier {rank}", capability=capability)
        _MODIFIERS[rank][name] = change
        return change

    return register


for _name, _precedence, _change in (  # letters are those of ASCII (RFC 5229 §4.1.3)
    ("lower", 40, fold_ascii),
    ("upper", 40, capitals),
    ("lowerfirst", 30, _first(fold_ascii)),
    ("upperfirst", 30, _first(capitals)),
    ("quotewildcard", 20, lambda value: _WILD.sub(r"\\\g<0>", value)),
    ("length", 10, lambda value: str(len(value))),
):
    modifier(_name, precedence=_precedence)(_change)


@command("set", STRING, STRING, takes=("modifier",), capability="variables")
def set_(args: Args) -> Step:
    """The variable has the value from here on (RFC 5229 §4).  Raises ScriptError for what is no name."""
    name = args.constant(0).lower()
    is_global = name.startswith("global.") and "include" in args.compiler.required
    if not NAME.fullmatch(name.removeprefix("global.") if is_global else name):
        raise args.error(f'"{name}" is no name of a variable', args.place(0))
    text, line, change = args.text(1), args.line, modified(args)

    def run_set(run: Run) -> None:
        store(run, name, change(value_of(text, run)), line)

    return run_set


def modified(args: Args) -> Callable[[str], str]:
    """What the modifiers among the tags make of a value (RFC 5229 §4.1)."""
    changes = [names[n] for names in _MODIFIERS for n in names if args.has(n)]

    def change(value: str) -> str:
        for one in changes:
            value = one(value)
        return value

    return change


def store(run: Run, name: str, value: str, line: int) -> None:
    """Give the variable *name* its *value*, cut off where it is too long (RFC 5229 §6).  Raises RunError."""
    variables = run.variables
    if name.startswith("global.") or name in run.shared_names:
        name, variables = name.removeprefix("global."), run.globals
    run.spend(1 + len(value) // 512, line)
    if name not in variables and len(variables) >= run.limits.variables:
        raise RunError(f"a script may have {run.limits.variables} variables", line)
    variables[name] = value[: run.limits.variable_size]


@test("string", STRINGS, STRINGS, takes=("match", "comparator"), capability="variables")
def string(args: Args) -> Check:
    """One of the first strings matches one of the second; `:count` counts those that are not empty (RFC 5229 §5)."""
    sources, match = args.texts(0), matcher(args, args.texts(1))
    counts = args.has("count")

    def check(run: Run) -> bool:
        values = sources.get(run)
        return match(run, [v for v in values if v] if counts else values)

    return check
