"""allof, anyof, not, true, false: tests from left to right, as far as needed.

Spec: RFC 5228 §5.2, §5.3, §5.6, §5.8, §5.10.  Status: complete.
"""

from mailserver.sieve.arguments import Args
from mailserver.sieve.compiler import never
from mailserver.sieve.registry import Check, test
from mailserver.sieve.run import Run


@test("allof", tests=-1)
def allof(args: Args) -> Check:
    """All of them are true."""
    checks = []
    for inner in args.node.tests:
        check = args.compiler.test(inner)
        if check is never:  # so nothing behind it is asked (RFC 5463 §4)
            return never
        checks.append(check)
    every = tuple(checks)

    def check_all(run: Run) -> bool:
        run.spend(1)
        return all(check(run) for check in every)

    args.compiler.known.note_several(check_all, every, until=False)
    return check_all


@test("anyof", tests=-1)
def anyof(args: Args) -> Check:
    """One of them is true."""
    every = tuple(check for check in args.checks() if check is not never)
    if not every:
        return never

    def check_any(run: Run) -> bool:
        run.spend(1)
        return any(check(run) for check in every)

    args.compiler.known.note_several(check_any, every, until=True)
    return check_any


@test("not", tests=1)
def not_(args: Args) -> Check:
    """It is false."""
    (inner,) = args.checks()

    def check(run: Run) -> bool:
        return not inner(run)

    args.compiler.known.note_not(check, inner)
    return check


@test("true")
def true(args: Args) -> Check:
    """Always."""
    return _constant(args, True)


@test("false")
def false(args: Args) -> Check:
    """Never."""
    return _constant(args, False)


def _constant(args: Args, says: bool) -> Check:
    def check(run: Run) -> bool:
        return says

    args.compiler.known.note_constant(check, says)
    return check
