"""What every test may use: real programs (`needs`), golden files, hypothesis profiles; and a limit of time for each."""

import faulthandler
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from measuring import Measuring

ROOT = Path(__file__).parent.parent
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}

# What is compiled once is kept, whoever wishes otherwise: tests start several hundred processes with our modules, and
# pytest rewrites thousands of asserts in each of its own.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Machines that run these tests are often busy, so no example has a deadline; in CI the examples are the same each time.
settings.register_profile(
    "default", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, print_blob=True)
settings.register_profile("deep", settings.get_profile("default"), max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "default"))

#: seconds one test may take with its fixtures; 0: as long as it likes, for the long versions take what they take
LONG = ("MAILSERVER_TESTS", "MAILSERVER_STRESS_S", "HYPOTHESIS_PROFILE")
LIMIT_S = float(os.environ.get("TEST_LIMIT_S", 0 if any(map(os.environ.get, LONG)) else 300))
STDERR = pytest.StashKey[int]()
MEASURING = pytest.StashKey[Measuring]()

#: programs that are not on everybody's PATH, or not programs at all
PLACES = {
    "dovecot": ("/usr/sbin/dovecot",),
    "postfix": ("/usr/sbin/postfix",),
    "camel": ("/usr/lib/evolution-data-server/camel-providers/libcamelimapx.so",),
    "dovecot-imap": ("/usr/lib/dovecot/imap", "/usr/libexec/dovecot/imap"),
}


def program(name: str) -> str | None:
    """Where the program *name* lies, or None; `python:NAME` asks for a Python package."""
    if name.startswith("python:"):
        spec = importlib.util.find_spec(name.removeprefix("python:"))
        return spec.origin if spec else None
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    return found or next((p for p in PLACES.get(name, ()) if Path(p).exists()), None)


def debian_package(name: str) -> str | None:
    """The Debian package of a program, from requirements/debian.txt (`PACKAGE  # PROGRAM...: what for`)."""
    for line in (ROOT / "requirements/debian.txt").read_text().splitlines():
        package, _, note = line.partition("#")
        if package.strip() and name in note.partition(":")[0].split():
            return package.strip()
    return None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden", action="store_true", help="write tests/golden/* instead of comparing"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Where a stack is shown whatever a test has done to its own standard error."""
    config.stash[STDERR] = os.dup(2)
    config.stash[MEASURING] = Measuring()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool, bool]:
    """Tests are measured where that says something.

    One that hangs ends its process with the stacks of all threads; of several processes, the others go on.
    """
    item.config.stash[MEASURING].switch(item.path, ROOT / "tests")
    if LIMIT_S:
        faulthandler.dump_traceback_later(LIMIT_S, exit=True, file=item.config.stash[STDERR])
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Writing golden files runs the tests that have one, and no others."""
    if config.getoption("--golden"):
        others = [i for i in items if "golden" not in getattr(i, "fixturenames", ())]
        config.hook.pytest_deselected(items=others)
        items[:] = [i for i in items if i not in set(others)]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A missing program is a failure in CI and a loud skip elsewhere."""
    wanted = [p for mark in item.iter_markers("needs") for p in mark.args]
    missing = [p for p in wanted if not program(p)]
    if missing:
        packages = [debian_package(p) or p.removeprefix("python:") for p in missing]
        text = f"needs {', '.join(missing)}: install {' '.join(packages)}"
        (pytest.fail if IN_CI else pytest.skip)(text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The skipped real-program tests once more, last, where nobody overlooks them."""
    texts = [
        r.longrepr[2]
        for r in terminalreporter.stats.get("skipped", [])
        if isinstance(r.longrepr, tuple) and "needs " in r.longrepr[2]
    ]
    if texts:
        terminalreporter.section("NOT TESTED HERE, programs are missing", yellow=True)
        for text in sorted(set(texts)):
            terminalreporter.line(f"{texts.count(text):4d} x {text.removeprefix('Skipped: ')}")


@pytest.fixture(scope="session", autouse=True)
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of all processes of this run, for what one makes and the others may copy; in TEST_SHARED."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    folder.mkdir(exist_ok=True)
    os.environ["TEST_SHARED"] = str(folder)
    yield folder
    del os.environ["TEST_SHARED"]


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden("imap_commands.txt", text)`: that file in tests/golden holds *text*; `make golden` writes it."""

    def compare(name: str, text: str) -> None:
        path = ROOT / "tests/golden" / name
        if request.config.getoption("--golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        wanted = path.read_text(encoding="utf-8") if path.exists() else ""
        assert text == wanted, (
            f"{path.relative_to(ROOT)} is not what the code gives: make golden, then review"
        )

    return compare
