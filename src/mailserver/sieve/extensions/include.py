"""include: scripts in scripts, return, and global variables.

Spec: RFC 6609.  Status: complete.
"""

from mailserver.sieve.arguments import Args
from mailserver.sieve.compiler import Compiler
from mailserver.sieve.errors import RunError
from mailserver.sieve.registry import STRING, STRINGS, Step, command, tag
from mailserver.sieve.run import Return, Run
from mailserver.sieve.strings import NAME

tag("personal", of=("include",), group="location", capability="include")
tag("global", of=("include",), group="location", capability="include")
tag("once", of=("include",), capability="include")
tag("optional", of=("include",), capability="include")


@command("include", STRING, capability="include")
def include(args: Args) -> Step:
    """The named script runs here (RFC 6609 §3.2).

    It is compiled with the one that includes it.  Raises ScriptError for one that includes itself, or for too many.
    """
    name, location = args.constant(0), args.tag("location") or "personal"
    is_once, is_optional, line = args.has("once"), args.has("optional"), args.line
    key = location, name
    step = _compiled(args, key)
    if step is None:
        if is_optional:
            return _nothing
        args.compiler.warn(args.at, f'there is no {location} script "{name}"')
        return _missing(f'there is no {location} script "{name}"', line)
    main = step

    def run_include(run: Run) -> None:
        run.spend(10, line)
        if is_once and key in run.included:
            return
        run.included.add(key)
        own = run.variables, run.shared_names, run.part
        run.variables, run.shared_names, run.part = {}, frozenset(), None
        try:
            main(run)
        except Return:
            pass
        finally:
            run.variables, run.shared_names, run.part = own

    return run_include


@command("return", capability="include")
def return_(args: Args) -> Step:
    """This script ends (RFC 6609 §3.3); the main one ends as with `stop`."""

    def run_return(run: Run) -> None:
        raise Return

    return run_return


@command("global", STRINGS, capability="include")
def global_(args: Args) -> Step:
    """These variables are those of all scripts of this run (RFC 6609 §3.4.1)."""
    args.compiler.need("variables", '"global"', args.at)
    names = set()
    for name, at in args.constants(0):
        if not NAME.fullmatch(name):
            raise args.error(f'"{name}" is no name of a variable', at)
        names.add(name.lower())

    def run_global(run: Run) -> None:
        run.shared_names |= names

    return run_global


def _compiled(args: Args, key: tuple[str, str]) -> Step | None:
    shared = args.compiler.shared
    location, name = key
    if key in shared.including:
        raise args.error(f'the {location} script "{name}" includes itself')
    if key in shared.included:
        return shared.included[key]
    if len(shared.included) >= shared.limits.includes:
        raise args.error(f"more than {shared.limits.includes} scripts are included")
    if len(shared.including) >= shared.limits.include_depth:
        raise args.error(
            f"scripts are included more than {shared.limits.include_depth} levels deep"
        )
    script = shared.load(location, name)
    if script is None:
        return None
    shared.including.append(key)
    try:
        step = Compiler(shared, script, name).script()
    finally:
        shared.including.pop()
    shared.included[key] = step
    return step


def _missing(text: str, line: int) -> Step:
    def run_missing(run: Run) -> None:
        raise RunError(text, line)

    return run_missing


def _nothing(run: Run) -> None:
    """An optional script that is not there."""
