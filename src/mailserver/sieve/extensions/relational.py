"""relational: `:value` and `:count`.

Spec: RFC 5231.  Status: complete.
"""

import operator
from collections.abc import Callable, Sequence

from mailserver.sieve.arguments import Args
from mailserver.sieve.comparators import Comparator
from mailserver.sieve.matching import Match, cost, match_type
from mailserver.sieve.registry import STRING, tag
from mailserver.sieve.run import Run
from mailserver.sieve.strings import Texts

_RELATIONS: dict[str, Callable[[str, str], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
}

for _name in ("value", "count"):
    tag(_name, STRING, of=("match",), group="match", capability="relational")


@match_type("value")
def value(comparator: Comparator, keys: Texts, args: Args) -> Match:
    """A value stands in the relation to one of the keys (RFC 5231 §4.1)."""
    compare, key_of = _relation(args, "value"), comparator.key

    def match(run: Run, values: Sequence[str]) -> bool:
        wanted = [(key_of(key), key) for key in keys.get(run)]
        for value in values:
            run.spend(cost(value, len(wanted)))
            mine = key_of(value)
            for key, written in wanted:
                if compare(mine, key):
                    run.matched = (value, written)
                    return True
        return False

    return match


@match_type("count")
def count(comparator: Comparator, keys: Texts, args: Args) -> Match:
    """How many values there are stands in the relation to one of the keys (RFC 5231 §4.2)."""
    compare, key_of = _relation(args, "count"), comparator.key

    def match(run: Run, values: Sequence[str]) -> bool:
        run.spend(1)
        number = str(len(values))
        for key in keys.get(run):
            if compare(key_of(number), key_of(key)):
                run.matched = (number, key)
                return True
        return False

    return match


def _relation(args: Args, tag: str) -> Callable[[str, str], bool]:
    name = (args.tag_constant(tag) or "").lower()
    if name not in _RELATIONS:
        known = ", ".join(f'"{relation}"' for relation in _RELATIONS)
        raise args.error(f'there is no relation "{name}"; there are {known}')
    return _RELATIONS[name]
