"""require, if, elsif, else, stop.

Spec: RFC 5228 §3.  Status: complete.
"""

from mailserver.sieve.arguments import Args
from mailserver.sieve.compiler import never
from mailserver.sieve.registry import STRINGS, Step, command
from mailserver.sieve.run import Run, Stop


@command("require", STRINGS)
def require(args: Args) -> Step:
    """Extensions are there from here on; only at the beginning (RFC 5228 §3.2).  Raises ScriptError."""
    if args.compiler.has_begun:
        raise args.error('"require" must stand before all other commands')
    for name, at in args.constants(0):
        args.compiler.require(name, at)
    args.compiler.known.note_command(_nothing, ())
    return _nothing


@command("if", tests=1, has_block=True)
def if_(args: Args) -> Step:
    """The block runs if the test is true (RFC 5228 §3.1)."""
    return _branch(args)


@command("elsif", tests=1, has_block=True, after=("if", "elsif"))
def elsif(args: Args) -> Step:
    """The block runs if no test before was true and this one is."""
    return _branch(args)


@command("else", has_block=True, after=("if", "elsif"))
def else_(args: Args) -> Step:
    """The block runs if no test before was true."""
    block = args.block()

    def run_else(run: Run) -> None:
        block(run)
        run.is_taken = True

    return run_else


@command("stop")
def stop(args: Args) -> Step:
    """The script ends, all actions are done (RFC 5228 §3.3)."""

    def run_stop(run: Run) -> None:
        raise Stop

    return run_stop


def _branch(args: Args) -> Step:
    (check,) = args.checks()
    if (
        check is never
    ):  # what an extension needs that is not there is not even looked at (RFC 5463 §4)
        return _not_taken
    block = args.block()

    def run_branch(run: Run) -> None:
        run.left -= 1
        if run.left < 0:
            run.spend(0)
        if check(run):
            block(run)
            run.is_taken = True
        else:
            run.is_taken = False

    args.compiler.known.note_command(run_branch, [check], steps=1)
    return run_branch


def _nothing(run: Run) -> None:
    """Everything was done when it was compiled."""


def _not_taken(run: Run) -> None:
    run.is_taken = False
