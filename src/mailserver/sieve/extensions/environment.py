"""environment: where and how the script runs.

Spec: RFC 5183.  Status: complete.
"""

from mailserver.sieve.arguments import Args
from mailserver.sieve.matching import matcher
from mailserver.sieve.registry import STRING, STRINGS, Check, test
from mailserver.sieve.run import Run
from mailserver.sieve.strings import value_of


@test("environment", STRING, STRINGS, takes=("match", "comparator"), capability="environment")
def environment(args: Args) -> Check:
    """The item matches; one that is not known never does (RFC 5183 §4)."""
    name, match = args.text(0), matcher(args, args.texts(1))

    def check(run: Run) -> bool:
        value = run.environment.items.get(value_of(name, run).lower())
        return match(run, () if value is None else (value,))

    return check
