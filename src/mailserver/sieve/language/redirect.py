"""redirect: to another address.

Spec: RFC 5228 §4.2; RFC 3894 §3.  Status: complete.
"""

from mailserver.sieve.actions import Redirect
from mailserver.sieve.addresses import one_address
from mailserver.sieve.arguments import Args
from mailserver.sieve.errors import RunError
from mailserver.sieve.registry import STRING, Step, command
from mailserver.sieve.run import Run
from mailserver.sieve.strings import value_of


@command("redirect", STRING, takes=("copy",))
def redirect(args: Args) -> Step:
    """The message goes there, unchanged.  Raises ScriptError, or RunError where variables make no address of it."""
    address, copies, line = args.text(0), args.has("copy"), args.line
    if isinstance(address, str) and one_address(address) is None:
        raise args.error(f'"{address[:100]}" is no address', args.place(0))

    def run_redirect(run: Run) -> None:
        text = value_of(address, run)
        found = one_address(text)
        if found is None:
            raise RunError(f'"{text[:100]}" is no address', line)
        if not copies:
            run.keeps = False
        run.do(Redirect(address=found, keeps=copies, line=line, edited=run.message.edited()))

    return run_redirect
