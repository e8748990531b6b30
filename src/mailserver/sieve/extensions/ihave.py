"""ihave: scripts that do with what there is.

Spec: RFC 5463.  Status: complete.
"""

from mailserver.sieve.arguments import Args
from mailserver.sieve.compiler import never
from mailserver.sieve.errors import RunError
from mailserver.sieve.registry import STRING, STRINGS, Check, Step, command, test
from mailserver.sieve.run import Run
from mailserver.sieve.strings import value_of

#: what changes how a script is read cannot be switched on half-way (RFC 5463 §4)
_FROM_THE_START = frozenset({"encoded-character", "variables"})


@test("ihave", STRINGS, capability="ihave")
def ihave(args: Args) -> Check:
    """All of these extensions are there; from here on they may be used (RFC 5463 §4).

    It is known when the script is compiled, so what it guards is compiled only where it is true.
    """
    compiler = args.compiler
    names = args.constants(0)
    for name, _ in names:
        late = name in _FROM_THE_START and name not in compiler.required
        if late or not compiler.knows(name):
            return never
    for name, at in names:
        compiler.require(name, at)
    return lambda run: True


@command("error", STRING, capability="ihave")
def error(args: Args) -> Step:
    """The run breaks off with this text (RFC 5463 §5)."""
    text, line = args.text(0), args.line

    def run_error(run: Run) -> None:
        raise RunError(value_of(text, run)[:1_000], line)

    return run_error
