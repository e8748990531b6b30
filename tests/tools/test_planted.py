"""`make check` sees what it is there for: each mistake, planted in a small house, is caught and named."""

import sys

import pytest

from check import STATIC, run

DOC = '"""A planted module."""\n\n'


def planted(room: str, code: str) -> tuple[str, str]:
    return f"src/mailserver/{room}/planted.py", DOC + code


MISTAKES = {
    "upward import": (
        "floors",
        *planted("store", "import mailserver.imap\n\nUSED = mailserver.imap\n"),
        "mailserver.store.planted -> mailserver.imap",
    ),
    "import of a sibling": (
        "floors",
        *planted("sasl", "import mailserver.mime\n\nUSED = mailserver.mime\n"),
        "mailserver.sasl.planted -> mailserver.mime",
    ),
    "SQL outside the store": (
        "floors",
        *planted("imap", "import apsw\n\nUSED = apsw\n"),
        "mailserver.imap.planted -> apsw",
    ),
    "a loop in an engine": (
        "floors",
        *planted("smtp", "import asyncio\n\nUSED = asyncio\n"),
        "mailserver.smtp.planted -> asyncio",
    ),
    "a socket in a pure room": (
        "floors",
        *planted("mime", "import socket\n\nUSED = socket\n"),
        "mailserver.mime.planted -> socket",
    ),
    "a thread in a handler's room": (
        "floors",
        *planted("mta", "import threading\n\nUSED = threading\n"),
        "mailserver.mta.planted -> threading",
    ),
    "dice in an engine": (
        "floors",
        *planted("imap", "import secrets\n\nUSED = secrets\n"),
        "mailserver.imap.planted -> secrets",
    ),
    "a library in another room": (
        "floors",
        *planted("store", "import yaml\n\nUSED = yaml\n"),
        "mailserver.store.planted -> yaml",
    ),
    "untyped def": (
        "types",
        *planted("base", 'def double(x):\n    """Twice *x*."""\n    return 2 * x\n'),
        "Function is missing a type annotation",
    ),
    "wrong type": (
        "types",
        *planted(
            "base",
            "from mailserver.base.ids import Seq, Uid\n\n\n"
            'def uid(seq: Seq) -> Uid:\n    """Mixed up."""\n    return seq\n',
        ),
        'expected "Uid"',
    ),
    "unused import": ("lint", *planted("base", "import os\n"), "F401"),
    "no docstring": ("lint", *planted("base", "def none() -> None:\n    return\n"), "D103"),
    "the clock, read below the sockets": (
        "lint",
        *planted("mta", "from datetime import datetime\n\nNOW = datetime.now()\n"),
        "time comes in as an argument",
    ),
    "format": ("format", *planted("base", "X = [1,2]\n"), "planted.py"),
    "citation that is not declared": (
        "citations",
        *planted("imap", "X = 1  # RFC 6851 §3.3\n"),
        "RFC 6851 is cited in src/mailserver/imap/planted.py but not declared",
    ),
    "claim without code": (
        "citations",
        "docs/rfc/index.tsv",
        "5321\tyes\tSMTP\n9051\tpartial\tIMAP4rev2\n",
        "RFC 5321 is claimed 'yes' but has no code",
    ),
    "claim without test": (
        "citations",
        "tests/base/test_counts.py",
        "def test_nothing():\n    pass\n",
        "RFC 9051 is claimed 'partial' but has no test",
    ),
    "stale page": (
        "citations",
        *planted("imap", "X = 1  # RFC 9051 §6.4.8\n"),
        "coverage.md is stale",
    ),
    "stale floor table": (
        "floor table",
        "src/mailserver/mta/__init__.py",
        '"""Something else."""\n',
        "floor table in src/mailserver/__init__.py is stale",
    ),
    "a room on no floor": (
        "floor table",
        "src/mailserver/cellar/__init__.py",
        '"""Below."""\n',
        "cellar stands in src/mailserver but on no floor",
    ),
}


@pytest.mark.parametrize(("step", "path", "text", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_caught(house, step, path, text, said):
    if "import Seq" in text:
        house.write(
            "src/mailserver/base/ids.py",
            '"""Identities."""\n\nfrom typing import NewType\n\n'
            'Uid = NewType("Uid", int)\nSeq = NewType("Seq", int)\n',
        )
    house.write(path, text)
    result = house.step(step)
    assert not result.is_good
    assert said in " ".join(result.output.split())


@pytest.mark.parametrize("step", STATIC)
def test_a_clean_house_passes(house, step):
    result = house.step(step)
    assert result.is_good, result.output


TRANSCRIPT_TEST = """\
from transcript import play


def answer(data):
    return b"* OK hello\\r\\n" if data else b""


def test_greeting():
    play("C: hello\\nS: * OK %s", answer)
"""


@pytest.mark.parametrize(("word", "status"), [("hello", 0), ("goodbye", 1)])
def test_the_suite_runs_and_a_wrong_transcript_fails(house, word, status):
    house.write("tests/base/test_talk.py", TRANSCRIPT_TEST % word)
    done = run("check", [sys.executable, "tools/check.py", "-n", "0"], house.root)
    assert done.is_good == (status == 0), done.output
    assert ("FAIL tests" in done.output) == (status == 1)
    assert ("transcript:2: expected" in done.output) == (status == 1)
    assert "ok   coverage" in done.output


def test_code_without_a_test_falls_below_the_bound(house):
    lines = "\n".join(f"    x = {i} * x" for i in range(30))
    house.write(
        *planted(
            "base", f'def untested(x: int) -> int:\n    """Never run."""\n{lines}\n    return x\n'
        )
    )
    done = run("check", [sys.executable, "tools/check.py", "-n", "0"], house.root)
    assert not done.is_good
    assert "below 90 %" in done.output
    assert "FAIL coverage" in done.output
