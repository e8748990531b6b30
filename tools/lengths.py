"""Names source files longer than 400 lines: when a file wants a table of contents, it is two files.  Only a warning."""

import sys
from collections.abc import Iterator
from pathlib import Path

LINES = 400


def long_files(root: Path) -> Iterator[tuple[int, str]]:
    """(lines, path) of the files that are longer, longest first."""
    files = [
        p for folder in ("src", "tools", "tests", "bench") for p in (root / folder).rglob("*.py")
    ]
    sizes = [(len(p.read_text(encoding="utf-8").splitlines()), p) for p in files]
    for size, path in sorted(sizes, reverse=True):
        if size > LINES:
            yield size, path.relative_to(root).as_posix()


if __name__ == "__main__":
    for size, name in long_files(
        Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent.parent
    ):
        print(f"{name}: {size} lines; one idea each?")
