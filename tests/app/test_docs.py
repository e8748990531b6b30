"""The guide names every key with its default, and every command with its options."""

import re
from pathlib import Path

import click
import pytest

from mailserver.app.config import Config, leaves
from mailserver.app.main import main
from mailserver.app.show import plain, scalar

GUIDE = Path(__file__).parents[2] / "docs" / "guide"

ROWS = dict(
    re.findall(
        r"^\| `([\w.]+)` \| (.+?) \| ", (GUIDE / "configuration.md").read_text(), re.MULTILINE
    )
)
KEYS = {".".join(key): value for key, value in leaves(Config()).items()}
TOLD = {"data_dir": "`data` beside the file", "hostname": "the machine's name"}


def test_every_key_is_documented_and_no_other():
    assert set(ROWS) == set(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_the_documented_default_is_the_default(key):
    value = plain(KEYS[key])
    if isinstance(value, float):
        value = f"{value:g}"
    text = (
        "null" if value is None else f"`{scalar(value) if not isinstance(value, str) else value}`"
    )
    said = ROWS[key].replace('`"', "`").replace('"`', "`")
    assert said == TOLD.get(key, text)


def commands(group: click.Group, prefix: str = "mailserver") -> list[tuple[str, click.Command]]:
    context = click.Context(group)
    found = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            found += commands(command, f"{prefix} {name}")
        else:
            found.append((f"{prefix} {name}", command))
    return found


@pytest.mark.parametrize(("name", "command"), commands(main))
def test_every_command_and_option_is_documented(name, command):
    text = (GUIDE / "command-line.md").read_text()
    assert re.search(rf"^{name}\b", text, re.MULTILINE)
    for option in (p for p in command.params if isinstance(p, click.Option)):
        for spelling in (*option.opts, *option.secondary_opts):
            assert spelling in text


def test_every_documented_command_exists():
    known = [name for name, _ in commands(main)]
    for page in GUIDE.glob("*.md"):
        for line in re.findall(r"^(?:\.venv/bin/)?(mailserver .*)", page.read_text(), re.MULTILINE):
            assert any(line.split("#")[0].strip().startswith(name) for name in known), line
