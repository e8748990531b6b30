"""Everything CI checks: format, lint, types, floors, citations, tables, then the tests with their coverage.

    python tools/check.py               all of it; exit 1 when anything fails
    python tools/check.py --no-tests    the quick half

Every step runs, whatever the others say; a failed step's output is printed in full, and the last lines are a summary.
The quick half runs beside the tests, which often wait.
"""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTHON = sys.executable


@dataclass(frozen=True, slots=True)
class Result:
    """One step: whether it passed, how long it took, what it printed."""

    name: str
    is_good: bool
    seconds: float
    output: str


STATIC: dict[str, list[str]] = {
    "format": [PYTHON, "-m", "ruff", "format", "--check", "."],
    "lint": [PYTHON, "-m", "ruff", "check", "."],
    "types": [PYTHON, "-m", "mypy"],
    "floors": [PYTHON, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
    "citations": [PYTHON, "tools/rfc_index.py", "--check"],
    "floor table": [PYTHON, "tools/rooms.py", "--check"],
}


def environment(root: Path) -> dict[str, str]:
    """The steps' environment: the sources of *root*, and nothing of a test run that we may be part of."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COVERAGE_"))}
    return {**ours, "PYTHONPATH": str(root / "src")}


def run(name: str, command: list[str], root: Path, *, is_live: bool = False) -> Result:
    """Runs one step in *root*; a live one prints as it goes."""
    start = time.monotonic()
    done = subprocess.run(
        command,
        cwd=root,
        env=environment(root),
        stdin=subprocess.DEVNULL,
        stdout=None if is_live else subprocess.PIPE,
        stderr=None if is_live else subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Result(name, done.returncode == 0, time.monotonic() - start, done.stdout or "")


def static(root: Path) -> list[Result]:
    """The steps that run nothing of ours, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda item: run(item[0], item[1], root), STATIC.items()))


def tests(root: Path, arguments: list[str]) -> list[Result]:
    """The whole suite under coverage, then the bound on each room."""
    for old in root.glob(".coverage.*"):
        old.unlink()
    # One process more than there are cores: some test always waits for something.  Each process has a stretch of the
    # tests, so that what a file starts is seldom started twice, and takes from the others' when it has done its own.
    processes = str((os.cpu_count() or 1) + 1)
    spread = ["-n", processes, "--dist", "worksteal"]
    command = ["-m", "coverage", "run", "-m", "pytest", "-q", *spread, *arguments]
    suite = run("tests", [PYTHON, *command], root, is_live=True)
    run("combine", [PYTHON, "-m", "coverage", "combine", "-q"], root)
    run("json", [PYTHON, "-m", "coverage", "json", "-q", "-o", ".coverage.json"], root)
    bound = run("coverage", [PYTHON, "tools/coverage_rooms.py", ".coverage.json"], root)
    print(bound.output)
    return [suite, bound]


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 1 when a step failed."""
    parser = argparse.ArgumentParser(description="everything CI checks")
    parser.add_argument("--no-tests", action="store_true")
    parser.add_argument("--root", type=Path, default=ROOT)
    options, rest = parser.parse_known_args(arguments)
    with ThreadPoolExecutor(1) as pool:
        quick = pool.submit(static, options.root)
        tested = [] if options.no_tests else tests(options.root, rest)
        results = quick.result()
    for result in results:
        if not result.is_good:
            print(f"== {result.name}\n{result.output}", flush=True)
    print(run("lengths", [PYTHON, "tools/lengths.py"], options.root).output, end="", flush=True)
    results += tested
    print(
        *(f"{'ok  ' if r.is_good else 'FAIL'} {r.name:12} {r.seconds:6.1f} s" for r in results),
        sep="\n",
    )
    return 0 if all(r.is_good for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())
