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

    args.compiler.known.note(check_all, every[:1], 1)
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

    args.compiler.known.note(check_any, every, 1)
    return check_any


@test("not", tests=1)
def not_(args: Args) -> Check:
    """It is false."""
    (check,) = args.checks()
    return lambda run: not check(run)


@test("true")
def true(args: Args) -> Check:
    """Always."""
    return lambda run: True


@test("false")
def false(args: Args) -> Check:
    """Never."""
    return lambda run: False
