"""foreverypart and break: commands for each part of a message.

Spec: RFC 5703 §3.  Status: complete.
"""

from mailserver.sieve.arguments import Args
from mailserver.sieve.registry import STRING, Step, command, tag
from mailserver.sieve.run import Break, Loop, Run

tag("name", STRING, of=("foreverypart", "break"), capability="foreverypart")


@command("foreverypart", has_block=True, capability="foreverypart")
def foreverypart(args: Args) -> Step:
    """The block runs for the message and all parts inside of it, depth first; in a block, for those inside of its part.

    A part that is replaced is not gone into.  An included script begins outside of all loops.
    """
    loop, line = Loop(args.tag_constant("name") or ""), args.line
    args.compiler.loops.append(loop)
    try:
        block = args.block()
    finally:
        args.compiler.loops.pop()

    def run_foreverypart(run: Run) -> None:
        around = run.part
        todo = [run.message.root] if around is None else [*reversed(around.inside)]
        try:
            while todo:
                run.part = part = todo.pop()
                run.spend(part.cost, line)
                version = part.version
                block(run)
                if part.version == version:
                    todo += reversed(part.inside)
        except Break as ended:
            if ended.loop is not loop:
                raise
        finally:
            run.part = around

    return run_foreverypart


@command("break", capability="foreverypart")
def break_(args: Args) -> Step:
    """The innermost loop ends, or the innermost with this name.  Raises ScriptError where there is none."""
    name, loops = args.tag_constant("name"), args.compiler.loops
    loop = next((one for one in reversed(loops) if name is None or one.name == name), None)
    if loop is None:
        wanted = "" if name is None else f' named "{name[:100]}"'
        raise args.error(f'"break" stands in no foreverypart{wanted}')
    found = loop

    def run_break(run: Run) -> None:
        run.spend(1)
        raise Break(found)

    return run_break
