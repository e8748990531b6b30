"""redirect: to another address, or to all of a list.

Spec: RFC 5228 §4.2; RFC 3894 §3; RFC 6134 §2.3.  Status: complete.
"""

from mailserver.sieve.actions import Redirect
from mailserver.sieve.addresses import one_address
from mailserver.sieve.arguments import Args
from mailserver.sieve.errors import RunError
from mailserver.sieve.lists import list_name, list_uri
from mailserver.sieve.registry import STRING, Step, command
from mailserver.sieve.run import Run
from mailserver.sieve.strings import value_of


@command("redirect", STRING, takes=("copy",))
def redirect(args: Args) -> Step:
    """The message goes there, unchanged.  Raises ScriptError, or RunError where variables make no address of it."""
    if args.has("list"):
        return _to_list(args)
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
        run.do(Redirect(address=found, keeps=copies, line=line, edited=run.message.sent_on()))

    return run_redirect


def _to_list(args: Args) -> Step:
    """To all members, which must be addresses; they count for the bound of one run (RFC 6134 §2.3)."""
    name, copies, line = list_name(args, 0), args.has("copy"), args.line

    def run_redirect_list(run: Run) -> None:
        uri = list_uri(value_of(name, run))
        if not uri or not run.environment.lists.is_known(uri):
            raise RunError(f'there is no list "{value_of(name, run)[:200]}"', line)
        members = run.environment.lists.members(uri, run.limits.redirects + 1)
        run.spend(10 + len(members), line)
        if members and not copies:  # where nobody gets it, it stays
            run.keeps = False
        for member in members:
            found = one_address(member)
            if found is None:
                raise RunError(f'"{member[:100]}" in the list "{uri}" is no address', line)
            run.do(Redirect(address=found, keeps=copies, line=line, edited=run.message.edited()))

    return run_redirect_list
