"""Rules that cannot be true are passed over together: what all of them look for is looked for at once.

Spec: RFC 5228 §2.7.1, §3.1.  Status: complete.

Hardly one of somebody's fifty rules is true for a message, and each is a handful of functions to find that out.  Of a
test that compares fields of the header with constants it is known what it *needs*: one of its keys in one of these
values.  Where nothing that some rules need is there, none of them runs; where something is, all of them do, as they
stand: so nothing but time depends on what is found here.  Steps count the same either way.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from mailserver.sieve.arguments import Args
from mailserver.sieve.comparators import UNICODE
from mailserver.sieve.header import Header
from mailserver.sieve.matching import comparator
from mailserver.sieve.registry import Check, Step
from mailserver.sieve.run import PIECE, Run

#: rules that are passed over together: fewer are as well tried, of more too many are tried before the one that is true
FEWEST: Final = 3
MOST: Final = 16

_LITERAL = re.compile(r"(?:\\.|[^*?\\]|\\\Z)+", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class Look(NamedTuple):
    """Values, and what a test wants to see there.

    source: the same for tests that look at the same values.
    values: gives these, of a header.
    fold:   what its comparator makes of texts: those that are alike become the same.
    wholes: keys one of which has to be a value, folded.     inner: keys one of which has to be in a value.
    weight: steps for each PIECE of a value.
    """

    source: tuple[object, ...]
    values: Callable[[Header], Sequence[str]]
    fold: Callable[[str], str]
    wholes: Collection[str]
    inner: Collection[str]
    weight: int


class Needs(NamedTuple):
    """What one of *looks* has to see, or else it is known what a test says, and that a command does nothing.

    steps: that they take then, beside those for the values.     says: what the test says then.
    """

    steps: int
    looks: tuple[Look, ...]
    says: bool = False

    def absent(self, header: Header, most: int) -> int:
        """The steps, if nothing that is needed is in *header*; -1 if something is, or they are more than *most*."""
        steps = self.steps
        if steps > most:
            return -1
        for _, values, fold, wholes, inner, weight in self.looks:
            for value in values(header):
                steps += weight * (1 + len(value) // PIECE)
                if steps > most:
                    return -1
                folded = fold(value)
                if folded in wholes:
                    return -1
                for key in inner:
                    if key in folded:
                        return -1
        return steps


class Known:
    """Of the tests and commands of a script, what they need, as far as that can be told."""

    __slots__ = ("_needs",)

    def __init__(self) -> None:
        self._needs: dict[Callable[[Run], object], Needs] = {}

    def of(self, one: Callable[[Run], object]) -> Needs | None:
        """What *one* needs; None where that is not known."""
        return self._needs.get(one)

    def note_command(
        self, one: Step, parts: Iterable[Callable[[Run], object]], steps: int = 0
    ) -> None:
        """*one* does nothing unless one of *parts* is true or does something; it takes so many steps more."""
        known = [self._needs.get(part) for part in parts]
        if all(needs is not None and not needs.says for needs in known):
            self._needs[one] = _together((needs for needs in known if needs is not None), steps)

    def note_constant(self, check: Check, says: bool) -> None:
        """*check* says this always."""
        self._needs[check] = Needs(0, (), says)

    def note_not(self, check: Check, inner: Check) -> None:
        """*check* says the contrary of *inner*."""
        if (needs := self._needs.get(inner)) is not None:
            self._needs[check] = needs._replace(says=not needs.says)

    def note_several(self, check: Check, parts: Iterable[Check], until: bool) -> None:
        """*check* asks *parts* in turn until one says *until*, and says what the last one did; for one step more."""
        asked = []
        for part in parts:
            needs = self._needs.get(part)
            if needs is None:
                return
            asked.append(needs)
            if needs.says is until:
                break
        self._needs[check] = _together(asked, 1)._replace(says=asked[-1].says)

    def note_keys(
        self, check: Check, args: Args, values: Callable[[Header, str], Sequence[str]]
    ) -> None:
        """*check* compares *values* of fields, named by the first argument of *args*, with the keys of the second."""
        names, keys = args.texts(0).constant, args.texts(1).constant
        if names is None or keys is None or any(map(args.has, ("index", "last", "mime"))):
            return
        how = comparator(args)
        wholes: Sequence[str] = ()
        inner: Sequence[str] = ()
        match args.tag("match"):
            case "" | "is":
                steps, weight, wholes = 1, 1, keys
            case "contains":
                steps, weight, inner = 0, len(keys), keys
            case "matches" if how is not UNICODE:  # which folds a key together with its wildcards
                weight = sum(1 + key.count("*") + key.count("?") for key in keys)
                steps, inner = 0, [_longest(key) for key in keys]
            case _:
                return
        if "" in inner:  # that is everywhere
            return
        fields = tuple(name.lower() for name in names)
        fold = how.key
        look = Look(
            (values, fold, *fields),
            _values(values, fields),
            fold,
            [*map(fold, wholes)],
            [*map(fold, inner)],
            weight,
        )
        self._needs[check] = Needs(steps, (look,))

    def sequence(self, steps: Sequence[Step]) -> Step:
        """*steps* one after the other."""
        out: list[Step] = []
        for are_known, found in groupby(steps, self._needs.__contains__):
            rules = tuple(found)
            if not are_known or len(rules) < FEWEST:
                out += rules
                continue
            for at in range(0, len(rules), MOST):
                some = rules[at : at + MOST]
                out.append(_passed_over(_all(some), _together(self._needs[rule] for rule in some)))
        whole = out[0] if len(out) == 1 else _all(tuple(out))
        self.note_command(whole, steps)
        return whole


def _all(steps: tuple[Step, ...]) -> Step:
    def run_all(run: Run) -> None:
        for step in steps:
            step(run)

    return run_all


def _passed_over(rules: Step, needs: Needs) -> Step:
    """*rules* run if anything is there that one of them needs."""

    def run_rules(run: Run) -> None:
        steps = needs.absent(run.message.header, run.left)
        if steps < 0:
            rules(run)
        else:
            run.left -= steps
            run.is_taken = False

    return run_rules


def _values(
    values: Callable[[Header, str], Sequence[str]], fields: tuple[str, ...]
) -> Callable[[Header], Sequence[str]]:
    if len(fields) == 1:
        (only,) = fields
        return lambda header: values(header, only)
    return lambda header: [value for field in fields for value in values(header, field)]


def _together(every: Iterable[Needs], steps: int = 0) -> Needs:
    """What one of *every* needs, and so many steps more; looks at the same values become one."""
    by_source: dict[tuple[object, ...], list[Look]] = {}
    for needs in every:
        steps += needs.steps
        for look in needs.looks:
            by_source.setdefault(look.source, []).append(look)
    return Needs(steps, tuple(map(_merged, by_source.values())))


def _merged(looks: list[Look]) -> Look:
    if len(looks) == 1:
        return looks[0]
    wholes = frozenset(key for look in looks for key in look.wholes)
    inner = tuple({key: None for look in looks for key in look.inner})
    return looks[0]._replace(wholes=wholes, inner=inner, weight=sum(look.weight for look in looks))


def _longest(pattern: str) -> str:
    """The longest text that stands between the wildcards of *pattern*, "" where there is none."""
    return max(
        (_ESCAPED.sub(r"\1", text) for text in _LITERAL.findall(pattern)), key=len, default=""
    )
