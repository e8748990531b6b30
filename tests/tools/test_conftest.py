"""What conftest.py gives every test: missing programs are seen, golden files hold, hanging ends; in a small house."""

import os
import subprocess
import sys

NEEDS = """\
import pytest


@pytest.mark.needs("sh", "no-such-program")
def test_talks():
    assert True


@pytest.mark.needs("sh", "python:pytest")
def test_runs():
    assert True
"""
GOLDEN = """\
def test_table(golden):
    golden("table.txt", "one\\n")


def test_other():
    raise AssertionError("not now")
"""
HANGS = """\
import threading


def test_waits():
    assert threading.Event().wait(60)
"""


def pytest_in(house, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {
        k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COVERAGE_", "CI"))
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=house.root,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_missing_program_is_a_loud_skip_here_and_a_failure_in_ci(house):
    house.write("tests/base/test_needs.py", NEEDS)
    house.append("requirements/debian.txt", "somepackage  # no-such-program: for this test\n")
    here = pytest_in(house, "tests/base/test_needs.py")
    assert here.returncode == 0
    assert "1 passed, 1 skipped" in here.stdout
    assert "NOT TESTED HERE" in here.stdout
    assert "1 x needs no-such-program: install somepackage" in here.stdout
    ci = pytest_in(house, "tests/base/test_needs.py", CI="true")
    assert ci.returncode == 1
    assert "1 passed, 1 error" in ci.stdout or "1 failed, 1 passed" in ci.stdout


def test_a_golden_file_holds_until_it_is_written_anew(house):
    house.write("tests/base/test_table.py", GOLDEN)
    first = pytest_in(house, "tests/base/test_table.py::test_table")
    assert first.returncode == 1
    assert "make golden" in first.stdout
    written = pytest_in(house, "--golden", "tests")
    assert "1 passed" in written.stdout  # test_other was not run
    assert (house.root / "tests/golden/table.txt").read_text() == "one\n"
    assert pytest_in(house, "tests/base/test_table.py::test_table").returncode == 0
    house.write("tests/golden/table.txt", "two\n")
    assert pytest_in(house, "tests/base/test_table.py::test_table").returncode == 1


def test_a_test_that_hangs_fails_with_its_stack(house):
    house.write("tests/base/test_hangs.py", HANGS)
    done = pytest_in(house, "tests/base/test_hangs.py", TEST_LIMIT_S="0.5")
    assert done.returncode != 0
    assert "in test_waits" in done.stderr
