"""extlists: lists that are kept outside of scripts: `:list`, the test valid_ext_list, `redirect :list`.

Spec: RFC 6134.  Status: complete.
"""

from collections.abc import Sequence

from mailserver.sieve.arguments import Args
from mailserver.sieve.comparators import Comparator
from mailserver.sieve.errors import RunError
from mailserver.sieve.lists import list_names, list_uri
from mailserver.sieve.matching import Match, match_type
from mailserver.sieve.registry import STRINGS, Check, tag, test
from mailserver.sieve.run import Run
from mailserver.sieve.strings import Texts

#: tests that can ask a list (RFC 6134 §2.2 and its examples)
_ASKING = frozenset({"address", "envelope", "header", "string", "date", "currentdate"})
_LOOK_UP = 50  # steps

tag("list", of=("match",), group="match", capability="extlists")
tag("list", of=("redirect",), capability="extlists")


@match_type("list")
def in_list(comparator: Comparator, keys: Texts, args: Args) -> Match:
    """A value is a member of one of the lists; what counts as the same, the list decides (RFC 6134 §2.2).

    Sets ${0} to the member.  Raises ScriptError together with a comparator, or in a test that cannot ask lists.
    """
    if args.has("comparator"):
        raise args.error(":list goes with no comparator: each list knows how it compares")
    if args.row.name not in _ASKING:
        known = ", ".join(f'"{name}"' for name in sorted(_ASKING))
        raise args.error(f'"{args.row.name}" cannot ask a list; those that can are {known}')
    names = list_names(args, len(args.row.positional) - 1)
    sets, line = "variables" in args.compiler.required, args.line

    def match(run: Run, values: Sequence[str]) -> bool:
        for name in names.get(run):
            run.spend(_LOOK_UP + sum(1 + len(value) // 8 for value in values), line)
            uri = list_uri(name)
            if not run.environment.lists.is_known(uri):
                raise RunError(f'there is no list "{name[:200]}"', line)
            found = run.environment.lists.find(uri, values)
            if found is not None:
                run.matched = (found, name)
                if sets:
                    run.matches = (found,)
                return True
        return False

    return match


@test("valid_ext_list", STRINGS, capability="extlists")
def valid_ext_list(args: Args) -> Check:
    """All of these lists are there (RFC 6134 §2.7)."""
    names, line = args.texts(0), args.line

    def check(run: Run) -> bool:
        wanted = names.get(run)
        run.spend(_LOOK_UP * len(wanted), line)
        return all(run.environment.lists.is_known(list_uri(name)) for name in wanted)

    return check
