"""Writes the floor table into the docstring of mailserver/__init__.py, from the import contract and the rooms.

    python tools/rooms.py            rewrites the table
    python tools/rooms.py --check    writes nothing; exit 1 when the table is not what the contract says

The floors are the layers of the contract "floors" in pyproject.toml, what a room is for is the first sentence of its
own docstring.  So the table cannot say what the linter does not hold.
"""

import argparse
import ast
import re
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOMS = "mailserver."
#: layers of their own that count to the floor above them: engines may use formats, both do no I/O
SHARED = {"mime", "sasl"}
WIDTH = 96


def floors(pyproject: str) -> list[list[str]]:
    """The rooms of each floor, highest floor first.  Raises ValueError when no contract draws them."""
    contracts = tomllib.loads(pyproject)["tool"]["importlinter"]["contracts"]
    layers = next((c["layers"] for c in contracts if c["type"] == "layers"), None)
    if layers is None:
        raise ValueError("pyproject.toml has no import contract of type layers")
    found: list[list[str]] = []
    for layer in layers:
        rooms = [r.strip().removeprefix(ROOMS) for r in re.split(r"[|:]", layer)]
        if found and set(rooms) <= SHARED:
            found[-1] += rooms
        else:
            found.append(rooms)
    return found


def purpose(room: Path) -> str:
    """The first sentence of a room's docstring, without its full stop."""
    said = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8"))) or ""
    first = " ".join(said.partition("\n\n")[0].split())
    return re.split(r"\.(?:\s(?=[A-Z`])|$)", first, maxsplit=1)[0]


def table(package: Path, pyproject: str) -> Iterator[str]:
    """The lines of the table, indented."""
    rows = floors(pyproject)
    for floor, rooms in zip(range(len(rows) - 1, -1, -1), rows, strict=True):
        for i, room in enumerate(rooms):
            number = str(floor) if i == 0 else ""
            lines = textwrap.wrap(purpose(package / room), WIDTH - 22)
            for j, line in enumerate(lines or [""]):
                yield f"    {number if j == 0 else '':3}{room if j == 0 else '':13}{line}".rstrip()


def with_table(source: str, lines: list[str]) -> str:
    """*source* with the indented block of its docstring replaced.  Raises ValueError when there is none."""
    new, count = re.subn(
        r"(\n\n)(?:    \S[^\n]*\n|     +\S[^\n]*\n)+",
        "\n\n" + "\n".join(lines).replace("\\", r"\\") + "\n",
        source,
        count=1,
    )
    if not count:
        raise ValueError("no indented table in the docstring of mailserver/__init__.py")
    return new


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 1 when --check finds another table, or a room and the contract miss each other."""
    parser = argparse.ArgumentParser(description="the floor table")
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a wrong table")
    parser.add_argument("--root", type=Path, default=Path(__file__).parent.parent)
    options = parser.parse_args(arguments)
    package = options.root / "src/mailserver"
    pyproject = (options.root / "pyproject.toml").read_text(encoding="utf-8")
    listed = {room for rooms in floors(pyproject) for room in rooms}
    standing = {p.parent.name for p in package.glob("*/__init__.py")}
    wrong = [
        f"{room} stands in src/mailserver but on no floor" for room in sorted(standing - listed)
    ]
    wrong += [
        f"{room} has a floor but does not stand in src/mailserver"
        for room in sorted(listed - standing)
    ]
    if not wrong:
        init = package / "__init__.py"
        old = init.read_text(encoding="utf-8")
        new = with_table(old, list(table(package, pyproject)))
        if options.check and new != old:
            wrong.append("the floor table in src/mailserver/__init__.py is stale: make rooms")
        elif new != old:
            init.write_text(new, encoding="utf-8")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
