"""The command line as a whole: what it lists, what it imports, how it is helped."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from mailserver import __version__
from mailserver.app.command import Command, Group
from mailserver.app.main import main

SRC = Path(__file__).parent.parent.parent / "src"


def commands(group: click.Group, prefix: str = "mailserver") -> dict[str, click.Command]:
    """ "mailserver user add" -> its command, for all of them."""
    found: dict[str, click.Command] = {}
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found |= commands(command, f"{prefix} {name}")
        else:
            found[f"{prefix} {name}"] = command
    return found


def test_table_of_commands(golden):
    rows = []
    for name, command in commands(main).items():
        usage = " ".join(command.collect_usage_pieces(click.Context(command)))
        options = [
            o
            for p in command.params
            if isinstance(p, click.Option)
            for o in (*p.opts, *p.secondary_opts)
        ]
        rows.append(
            f"{name} {usage}\n    {' '.join(sorted(set(options) - {'--config', '--json'}))}".rstrip()
        )
    golden("commands.txt", "\n".join(rows) + "\n")


@pytest.mark.parametrize("name", commands(main))
def test_every_command_has_examples_first_and_the_common_options(name, cli):
    command = commands(main)[name]
    assert isinstance(command, Command)
    assert command.examples.startswith("mailserver ")
    answer = cli(f"{name.removeprefix('mailserver ')} --help")
    assert answer.status == 0
    assert answer.out.index("Examples:") < answer.out.index("Usage:")
    assert {"--config", "--json"} <= {o for p in command.params for o in p.opts}
    assert all(p.help for p in command.params if isinstance(p, click.Option))


def test_groups_have_examples_too(cli):
    for name in ("", "user", "domain", "alias", "config"):
        answer = cli(f"{name} --help")
        assert answer.out.index("Examples:") < answer.out.index("Usage:")


def test_version(cli):
    assert cli("version").out.startswith(f"mailserver {__version__} (Python 3.")
    assert cli("version --json").json["version"] == __version__


#: what takes long to import; a command that needs none of it must not wait for it
HEAVY = {
    "apsw", "argon2", "asyncio", "bcrypt", "cryptography", "idna", "pydantic", "ssl", "uvloop", "yaml",
}  # fmt: skip


def imported(*arguments: str) -> set[str]:
    """The top-level modules that a run of the command line has imported."""
    script = (
        "import json, sys\n"
        "from mailserver.app.main import main\n"
        "try:\n"
        f"    main({list(arguments)!r}, prog_name='mailserver')\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0, end.code\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(SRC), "PATH": "/usr/bin:/bin"},
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    "arguments",
    [
        ["version"],
        ["--help"],
        ["user", "--help"],
        ["user", "import", "--help"],
        ["serve", "--help"],
    ],
)
def test_what_needs_nothing_heavy_imports_nothing_heavy(arguments):
    assert imported(*arguments) & HEAVY == set()


def test_checking_a_configuration_needs_no_store_and_no_loop():
    assert imported("config", "check") & HEAVY <= {"pydantic", "yaml"}


def test_groups_are_ours():
    context = click.Context(main)
    for name in main.list_commands(context):
        assert isinstance(main.get_command(context, name), Command | Group)
    assert main.get_command(context, "nonsense") is None


def test_python_m():
    done = subprocess.run(
        [sys.executable, "-m", "mailserver", "version"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(SRC), "PATH": "/usr/bin:/bin"},
    )
    assert done.stdout.startswith("mailserver ")


def test_common_options_may_stand_before_the_command(cli, tmp_path):
    (tmp_path / "other.yaml").write_text("hostname: other.example.test\n")
    for command in (
        "config show --config other.yaml --json",
        "config --config other.yaml show --json",
        "--config other.yaml --json config show",
        "--config mailserver.yaml config --json show --config other.yaml",
    ):
        assert cli(command).json["hostname"]["value"] == "other.example.test"
