"""regex: the match type `:regex`, and `set :quoteregex`.

Spec: draft-ietf-sieve-regex-01.  Status: complete.
Deviates: draft-ietf-sieve-regex-01 §4: case is ignored in all scripts, not in ASCII alone; an expression cannot refer
back to what it matched (POSIX leaves that open).  Beside POSIX's classes \\d, \\s, \\w and \\b are known.
"""

from collections.abc import Sequence

from mailserver.sieve.arguments import Args
from mailserver.sieve.comparators import Comparator
from mailserver.sieve.errors import RunError
from mailserver.sieve.expressions import BadExpression, Expression, expression, quoted
from mailserver.sieve.extensions.variables import modifier
from mailserver.sieve.matching import Match, match_type
from mailserver.sieve.registry import tag
from mailserver.sieve.run import Run
from mailserver.sieve.strings import Texts

#: characters times steps of an expression's program that cost as much as a command: some microseconds at worst
_PIECE = 512

tag("regex", of=("match",), group="match", capability="regex")
modifier("quoteregex", precedence=20, capability="regex")(quoted)


@match_type("regex")
def regex(comparator: Comparator, keys: Texts, args: Args) -> Match:
    """Something in the value is as the key says; sets the match variables to it and its parentheses.

    Raises ScriptError for what is no expression, and with comparators that compare no characters.
    """
    if not comparator.finds:
        raise args.error(f'the comparator "{comparator.name}" does not go with :regex')
    ignores_case, line = comparator.ignores_case, args.line
    constant = None
    if keys.constant is not None:
        size = args.compiler.limits.regex_size
        constant = tuple(
            _checked(args, key, size, ignores_case=ignores_case) for key in keys.constant
        )
    sets = "variables" in args.compiler.required

    def match(run: Run, values: Sequence[str]) -> bool:
        wanted = constant
        if wanted is None:
            wanted = tuple(
                _made(run, key, line, ignores_case=ignores_case) for key in keys.get(run)
            )
        for value in values:
            for one, key in wanted:
                run.spend(1 + len(value) * one.weight // _PIECE, line)
                found = one.search(value)
                if found is not None:
                    run.matched = (value, key)
                    if sets:
                        run.matches = found
                    return True
        return False

    return match


def _checked(args: Args, key: str, size: int, *, ignores_case: bool) -> tuple[Expression, str]:
    at = args.place(len(args.row.positional) - 1)
    if len(key) > size:
        raise args.error(f"a regular expression may have {size} characters", at)
    try:
        return expression(key, ignores_case=ignores_case), key
    except BadExpression as error:
        raise args.error(f'"{key[:100]}" is no regular expression: {error}', at) from None


def _made(run: Run, key: str, line: int, *, ignores_case: bool) -> tuple[Expression, str]:
    """One that variables made; making it counts as well."""
    run.spend(100 + len(key), line)
    if len(key) > run.limits.regex_size:
        raise RunError(f"a regular expression may have {run.limits.regex_size} characters", line)
    try:
        return expression(key, ignores_case=ignores_case), key
    except BadExpression as error:
        raise RunError(f'"{key[:100]}" is no regular expression: {error}', line) from None
