"""Rules that cannot be true are passed over together: what all of them look for is looked for at once.

Spec: RFC 5228 §2.7.1, §3.1.  Status: complete.

Hardly one of somebody's fifty rules is true for a message, and each is a handful of functions to find that out.  Of a
test that compares fields of the header with constants it is known what it *needs*: one of its keys in one of these
values.  Where nothing that some rules need is there, none of them runs; where something is, all of them do, as they
stand: so nothing but time depends on what is found here.  Steps count the same either way.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from mailserver.sieve.arguments import Args
from mailserver.sieve.comparators import UNICODE
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

    source: the same for tests that look at the same values, however these are come by.
    fold:   what its comparator makes of texts: those that are alike become the same.
    wholes: keys one of which has to be a value, folded.     inner: keys one of which has to be in a value.
    weight: steps for each PIECE of a value.
    """

    source: tuple[object, ...]
    values: Callable[[Run], Sequence[str]]
    fold: Callable[[str], str]
    wholes: Collection[str]
    inner: Collection[str]
    weight: int


class Needs(NamedTuple):
    """A test, a command or several are not true, and do nothing, unless one of *looks* sees what it wants.

    steps: that they take then, beside those for the values.
    """

    steps: int
    looks: tuple[Look, ...]


class Known:
    """Of the tests and commands of a script, what they need, as far as that can be told."""

    __slots__ = ("_needs",)

    def __init__(self) -> None:
        self._needs: dict[Callable[[Run], object], Needs] = {}

    def note(
        self, one: Callable[[Run], object], parts: Iterable[Callable[[Run], object]], steps: int
    ) -> None:
        """*one* needs what one of *parts* does, and takes so many steps more than all of these."""
        found = [self._needs.get(part) for part in parts]
        known = [needs for needs in found if needs is not None]
        if len(known) == len(found):
            looks = tuple(look for needs in known for look in needs.looks)
            self._needs[one] = Needs(steps + sum(needs.steps for needs in known), looks)

    def note_keys(self, check: Check, args: Args, values: Callable[[Run], Sequence[str]]) -> None:
        """*check* compares *values*, which the first argument of *args* names, with the keys of the second."""
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
        source = args.row.name, args.tag("address-part"), *(name.lower() for name in names)
        fold = how.key
        look = Look(source, values, fold, [*map(fold, wholes)], [*map(fold, inner)], weight)
        self._needs[check] = Needs(steps, (look,))

    def sequence(self, steps: Iterable[Step]) -> Step:
        """*steps* one after the other."""
        out: list[Step] = []
        for are_known, found in groupby(steps, self._needs.__contains__):
            rules = tuple(found)
            if not are_known or len(rules) < FEWEST:
                out += rules
                continue
            for at in range(0, len(rules), MOST):
                some = rules[at : at + MOST]
                out.append(_passed_over(_all(some), [self._needs[rule] for rule in some]))
        return out[0] if len(out) == 1 else _all(tuple(out))


def _all(steps: tuple[Step, ...]) -> Step:
    def run_all(run: Run) -> None:
        for step in steps:
            step(run)

    return run_all


def _passed_over(rules: Step, needs: Sequence[Needs]) -> Step:
    """*rules* run if anything is there that one of them needs."""
    fixed = sum(one.steps for one in needs)
    looks = tuple(_merged(look for one in needs for look in one.looks))

    def run_rules(run: Run) -> None:
        left = run.left - fixed
        if left < 0:
            return rules(run)  # which takes too many steps, or finds something before
        for _, values, fold, wholes, inner, weight in looks:
            for value in values(run):
                left -= weight * (1 + len(value) // PIECE)
                if left < 0:
                    return rules(run)
                folded = fold(value)
                if folded in wholes:
                    return rules(run)
                for key in inner:
                    if key in folded:
                        return rules(run)
        run.left, run.is_taken = left, False
        return None

    return run_rules


def _merged(looks: Iterable[Look]) -> Iterator[Look]:
    """Those at the same values as one."""
    by_source: dict[tuple[object, ...], list[Look]] = {}
    for look in looks:
        by_source.setdefault((look.source, look.fold), []).append(look)
    for same in by_source.values():
        wholes = frozenset(key for look in same for key in look.wholes)
        inner = tuple({key: None for look in same for key in look.inner})
        yield same[0]._replace(wholes=wholes, inner=inner, weight=sum(look.weight for look in same))


def _longest(pattern: str) -> str:
    """The longest text that stands between the wildcards of *pattern*, "" where there is none."""
    return max(
        (_ESCAPED.sub(r"\1", text) for text in _LITERAL.findall(pattern)), key=len, default=""
    )
