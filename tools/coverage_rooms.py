"""Prints test coverage room by room and holds the floors below the sockets to a bound.

    coverage json -o coverage.json && python tools/coverage_rooms.py coverage.json

Exit 1 when a room that is held (`HELD`) has fewer lines and branches covered than `BOUND`.  The rooms above are driven
by tests with real sockets and processes; they are shown, not held, and without what only a process of its own runs.
"""

import json
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

BOUND = 90.0  # per cent of lines and branches
HELD = (
    "base",
    "mime",
    "sasl",
    "smtp",
    "sieve",
    "mailauth",
    "store",
    "directory",
    "mta",
    "imap",
)


@dataclass(slots=True)
class Covered:
    """Lines and branches of a room, and how many of them a test has run."""

    lines: int = 0
    branches: int = 0
    hit: int = 0

    @property
    def percent(self) -> float:
        """100 for a room without code."""
        total = self.lines + self.branches
        return 100.0 * self.hit / total if total else 100.0


def rooms(report: str) -> dict[str, Covered]:
    """Room -> coverage, from the text of coverage.json."""
    found: dict[str, Covered] = defaultdict(Covered)
    for name, file in json.loads(report)["files"].items():
        parts = Path(name).parts
        inside = parts[parts.index("mailserver") + 1 :]
        room = found[inside[0] if len(inside) > 1 else "(top)"]
        summary = file["summary"]
        room.lines += summary["num_statements"]
        room.branches += summary.get("num_branches", 0)
        room.hit += summary["covered_lines"] + summary.get("covered_branches", 0)
    return dict(found)


def main(path: str) -> int:
    """Exit status: 1 when a held room is below the bound."""
    found = rooms(Path(path).read_text(encoding="utf-8"))
    below = [r for r in HELD if r in found and found[r].percent < BOUND]
    print(f"{'room':12}{'lines':>7}{'branches':>10}{'covered':>10}")
    for name, room in sorted(found.items()):
        mark = f"   below {BOUND:.0f} %" if name in below else "" if name in HELD else "   not held"
        print(f"{name:12}{room.lines:7}{room.branches:10}{room.percent:9.1f} %{mark}")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "coverage.json"))
