"""`mailserver sieve check|test`."""

from pathlib import Path

import click

from mailserver.app.command import Caller, Group, one_line

EXAMPLES = """
mailserver sieve check filters.sieve
mailserver sieve test filters.sieve letter.eml
"""

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(cls=Group, examples=EXAMPLES)
def command() -> None:
    """Scripts that filter mail (Sieve)."""


@command.command(
    examples="mailserver sieve check filters.sieve\nmailserver sieve check *.sieve --json"
)
@click.argument("scripts", type=_FILE, nargs=-1, required=True)
@click.pass_obj
def check(caller: Caller, scripts: tuple[Path, ...]) -> None:
    """Say whether scripts compile, and where not, what is wrong.

    Included scripts are looked for beside the one that includes them, as NAME.sieve.
    """
    from mailserver.app.trying import Wrong, compiled
    from mailserver.sieve.errors import ScriptError

    limits = caller.load().config.limits
    objects, lines, wrong = [], [], []
    for script in scripts:
        try:
            program = compiled(script.read_bytes(), limits, script.parent)
        except ScriptError as error:
            wrong.append(f"{script}: {error}")
            continue
        warnings = list(program.warnings)
        objects.append({"script": str(script), "warnings": warnings})
        lines += [f"{script}: {one_line(warning)}" for warning in warnings] or [f"{script}: fine"]
    if wrong:
        raise Wrong(wrong)
    caller.answer(objects, lines)


@command.command(
    examples="mailserver sieve test filters.sieve letter.eml\n"
    "mailserver sieve test filters.sieve Maildir/cur/* --sender bob@example.org --json"
)
@click.argument("script", type=_FILE)
@click.argument("messages", type=_FILE, nargs=-1, required=True)
@click.option(
    "--sender", default="", metavar="ADDRESS", help="The envelope's; from the header unless set."
)
@click.option("--recipient", default="", metavar="ADDRESS", help="The same.")
@click.pass_obj
def test(
    caller: Caller, script: Path, messages: tuple[Path, ...], sender: str, recipient: str
) -> None:
    """Say what a script would do with messages, and which of its lines matched what.  Nothing is changed."""
    import time
    from datetime import datetime

    from mailserver.app.trying import as_object, compiled, lines, tried

    limits = caller.load().config.limits
    program = compiled(script.read_bytes(), limits, script.parent)
    now = datetime.fromtimestamp(time.time()).astimezone()
    objects, out = [], []
    for file in messages:
        done = tried(
            program, file.read_bytes(), limits, sender=sender, recipient=recipient, now=now
        )
        objects.append(as_object(str(file), done))
        out += [one_line(str(file)), *map(one_line, lines(done))]
    caller.answer(objects, out)
