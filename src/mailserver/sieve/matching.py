"""Match types: does any of these values match any of those keys?

Spec: RFC 5228 §2.7.1, §2.7.3; RFC 5229 §3.2; RFC 5231 §4.  Status: complete.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

from mailserver.sieve.arguments import Args
from mailserver.sieve.comparators import COMPARATORS, DEFAULT, Comparator
from mailserver.sieve.registry import STRING, tag
from mailserver.sieve.run import PIECE, Run
from mailserver.sieve.strings import Texts

#: whether one of the values matches
Match: TypeAlias = Callable[[Run, Sequence[str]], bool]
Make: TypeAlias = Callable[[Comparator, Texts, Args], Match]

_MAKERS: dict[str, Make] = {}

tag("comparator", STRING, of=("comparator",), group="comparator")


def match_type(name: str) -> Callable[[Make], Make]:
    """Register the decorated function, which makes the matches of the tag *name*."""

    def register(make: Make) -> Make:
        if name in _MAKERS:
            raise ValueError(f"two match types {name}")
        _MAKERS[name] = make
        return make

    return register


def matcher(args: Args, keys: Texts) -> Match:
    """The match that the tags of *args* ask for, `:is` without any (RFC 5228 §2.7.1).  Raises ScriptError."""
    name = args.tag("match") or "is"
    return _MAKERS[name](comparator(args), keys, args)


def comparator(args: Args) -> Comparator:
    """The one behind `:comparator`, or the default.  Raises ScriptError."""
    name = args.tag_constant("comparator")
    if name is None:
        return DEFAULT
    found = COMPARATORS.get(name.lower())
    if found is None:
        known = ", ".join(f'"{name}"' for name in COMPARATORS)
        raise args.error(f'there is no comparator "{name}"; there are {known}')
    args.compiler.need(found.capability, f'the comparator "{found.name}"', args.at)
    return found


def cost(value: str, keys: int) -> int:
    """Steps that comparing one value with so many keys takes."""
    return keys * (1 + len(value) // PIECE)


for _name in ("is", "contains", "matches"):
    tag(_name, of=("match",), group="match")


@match_type("is")
def equal(comparator: Comparator, keys: Texts, args: Args) -> Match:
    """The whole value is the key."""
    key_of = comparator.key
    constant = None
    if keys.constant is not None:
        constant = {key_of(key): key for key in reversed(keys.constant)}

    def match(run: Run, values: Sequence[str]) -> bool:
        wanted = constant
        if wanted is None:
            wanted = {key_of(key): key for key in keys.get(run)}
        run.left -= 1
        for value in values:
            found = wanted.get(key_of(value))
            if found is not None:
                run.matched = (value, found)
                return True
            run.left -= 1 + len(value) // PIECE
            if run.left < 0:
                run.spend(0)
        return False

    return match


@match_type("contains")
def contains(comparator: Comparator, keys: Texts, args: Args) -> Match:
    """The key is somewhere in the value.  Raises ScriptError for comparators that cannot look inside."""
    _check_finds(comparator, args, "contains")
    key_of = comparator.key
    constant = None
    if keys.constant is not None:
        constant = tuple((key_of(key), key) for key in keys.constant)

    def match(run: Run, values: Sequence[str]) -> bool:
        wanted = constant
        if wanted is None:
            wanted = tuple((key_of(key), key) for key in keys.get(run))
        for value in values:
            run.left -= len(wanted) * (1 + len(value) // PIECE)
            if run.left < 0:
                run.spend(0)
            folded = key_of(value)
            for key, written in wanted:
                if key in folded:
                    run.matched = (value, written)
                    return True
        return False

    return match


@match_type("matches")
def matches(comparator: Comparator, keys: Texts, args: Args) -> Match:
    r"""The value is like the key, in which "*" is any text and "?" any character, "\" takes the next as it is.

    Sets the match variables (RFC 5229 §3.2).  Raises ScriptError for comparators that cannot look inside.
    """
    _check_finds(comparator, args, "matches")
    folds = comparator.key if comparator.name == "i;unicode-casemap" else None
    sets = "variables" in args.compiler.required

    def match(run: Run, values: Sequence[str]) -> bool:
        wanted = keys.get(run)
        for value in values:
            for key in wanted:
                run.spend(cost(value, 1 + key.count("*") + key.count("?")))
                pattern = wildcards(folds(key) if folds else key, comparator.ignores_case)
                m = pattern.fullmatch(folds(value) if folds else value)
                if m is None:
                    continue
                run.matched = (value, key)
                if sets:
                    run.matches = (m[0], *m.groups()) if not folds else _unfolded(value, key, m)
                return True
        return False

    return match


def wildcards(pattern: str, ignores_case: bool) -> re.Pattern[str]:
    r"""*pattern* as a regular expression with one group for each wildcard.

    It never goes back: what stands between two "*" has only its first place (which is where the shortest match has it),
    so that it takes time in proportion to the text, however many there are.
    """
    return (
        _wildcards(pattern, ignores_case) if len(pattern) <= PIECE else _made(pattern, ignores_case)
    )


def _made(pattern: str, ignores_case: bool) -> re.Pattern[str]:
    parts = _parts(pattern)
    out: list[str] = []
    for at, (wild, literal) in enumerate(parts):
        is_last = at == len(parts) - 1
        if wild == "*":
            out.append(f"(.*?){literal}" if is_last else f"(?>(.*?){literal})")
        else:
            out.append(literal)
    return re.compile("".join(out), re.DOTALL | (re.IGNORECASE | re.ASCII if ignores_case else 0))


_wildcards = lru_cache(maxsize=2_000)(_made)


def _parts(pattern: str) -> list[tuple[str, str]]:
    """(what stands before: "" or "*", regular expression of the text without "*" behind it), in order."""
    out: list[tuple[str, list[str]]] = [("", [])]
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "*":
            out.append(("*", []))
        elif char == "?":
            out[-1][1].append("(.)")
        else:
            if char == "\\" and at + 1 < len(pattern):
                at += 1
                char = pattern[at]
            out[-1][1].append(re.escape(char))
        at += 1
    return [(wild, "".join(literal)) for wild, literal in out]


def _unfolded(value: str, key: str, m: re.Match[str]) -> tuple[str, ...]:
    """The match variables in the value's own letters, where that is the same match; else the folded ones."""
    again = wildcards(key, True).fullmatch(value)
    found = again or m
    return (value, *found.groups())


def _check_finds(comparator: Comparator, args: Args, match: str) -> None:
    if not comparator.finds:
        text = f'the comparator "{comparator.name}" does not go with :{match}'
        raise args.error(text)
