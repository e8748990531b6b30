"""imap4flags: setflag, addflag, removeflag, hasflag, and `:flags`.

Spec: RFC 5232.  Status: complete.
"""

from collections.abc import Callable

from mailserver.sieve.arguments import Args
from mailserver.sieve.extensions.variables import store
from mailserver.sieve.matching import matcher
from mailserver.sieve.registry import STRING, STRINGS, Check, Step, command, tag, test
from mailserver.sieve.run import Run
from mailserver.sieve.strings import NAME, Texts
from mailserver.sieve.tagged import flag_names

Names = tuple[str, ...]

tag("flags", STRINGS, of=("flags", "fcc"), capability="imap4flags")


@command("setflag", STRING, STRINGS, optional=0, capability="imap4flags")
def setflag(args: Args) -> Step:
    """These flags and no others (RFC 5232 §3.1)."""
    return _change(args, lambda old, new: new)


@command("addflag", STRING, STRINGS, optional=0, capability="imap4flags")
def addflag(args: Args) -> Step:
    """These, too (RFC 5232 §3.2)."""
    return _change(args, lambda old, new: flag_names((*old, *new)))


@command("removeflag", STRING, STRINGS, optional=0, capability="imap4flags")
def removeflag(args: Args) -> Step:
    """Not these (RFC 5232 §3.3)."""

    def without(old: Names, new: Names) -> Names:
        gone = {name.lower() for name in new}
        return tuple(name for name in old if name.lower() not in gone)

    return _change(args, without)


@test(
    "hasflag", STRINGS, STRINGS, optional=0, takes=("match", "comparator"), capability="imap4flags"
)
def hasflag(args: Args) -> Check:
    """One of the flags in the variables matches; `:count` counts them (RFC 5232 §4)."""
    if args.is_given(0):
        _need_variables(args)
    variables = args.texts(0) if args.is_given(0) else None
    keys = args.texts(1)
    if keys.constant is not None and not args.has("count"):  # "b A" is two flags (RFC 5232 §2)
        keys = Texts(tuple(name for key in keys.constant for name in key.split()))
    match = matcher(args, keys)

    def check(run: Run) -> bool:
        if variables is None:
            return match(run, run.flags or ())
        found: list[str] = []
        for name in variables.get(run):
            found += flag_names([run.value(name.lower())])
        return match(run, found)

    return check


def _change(args: Args, change: Callable[[Names, Names], Names]) -> Step:
    texts, line = args.texts(1), args.line
    name = None
    if args.is_given(0):
        _need_variables(args)
        name = args.constant(0).lower()
        if not NAME.fullmatch(name):
            raise args.error(f'"{name}" is no name of a variable', args.place(0))

    def run_change(run: Run) -> None:
        run.spend(1)
        new = flag_names(texts.get(run))
        if name is None:
            run.flags = change(run.flags or (), new)
        else:
            store(run, name, " ".join(change(flag_names([run.value(name)]), new)), line)

    return run_change


def _need_variables(args: Args) -> None:
    args.compiler.need("variables", "the name of a variable", args.place(0))
