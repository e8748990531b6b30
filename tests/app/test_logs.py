"""The log: its lines, its file, and that no peer can write into it."""

import json
import logging
import os
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.app import logs
from mailserver.base.errors import MailError
from mailserver.base.log import FIELDS, Log


@pytest.fixture(autouse=True)
def _no_traces():
    """Logging is the process's: leave it as it was."""
    root, hook, thread_hook = logging.getLogger(), sys.excepthook, threading.excepthook
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers[:]:
        if handler not in handlers:
            root.removeHandler(handler)
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("mailserver").setLevel(logging.NOTSET)
    sys.excepthook, threading.excepthook = hook, thread_hook


def render_json(made):
    return logs.render_json(logs.line_of(made))


def render_console(made):
    return logs.render_console(logs.line_of(made))


def record(event: str = "message accepted", name: str = "mailserver.smtp", **fields: object):
    """A record as Log makes it, at 2026-11-22 10:00:00.123 UTC."""
    made = logging.LogRecord(name, logging.INFO, "", 0, event, None, None)
    made.created = 1_795_341_600.1234
    setattr(made, FIELDS, fields)
    return made


def test_json_line():
    line = render_json(record(session="k3v9", size=812, peer="192.0.2.1", missing=None))
    assert line == (
        '{"time": "2026-11-22T10:00:00.123Z", "level": "info", "logger": "smtp", '
        f'"pid": {os.getpid()}, "event": "message accepted", '
        '"session": "k3v9", "size": 812, "peer": "192.0.2.1"}'
    )


def test_console_line():
    line = render_console(record(session="k3v9", size=812, mailbox="Two words", empty=""))
    assert line == (
        '10:00:00.123 info    smtp     k3v9 message accepted size=812 mailbox="Two words" empty=""'
    )


def test_a_field_cannot_stand_in_for_the_head():
    line = json.loads(render_json(record(level="debug", time="never", event2="x")))
    assert (line["level"], line["time"][:4], line["event2"]) == ("info", "2026", "x")


@pytest.mark.parametrize("render", logs.RENDERERS.values())
@given(text=st.text(), octets=st.binary(max_size=50))
def test_no_value_breaks_the_line_or_reaches_the_terminal(render, text, octets):
    line = render(
        logs.line_of(record(event=text, user=text, wire=octets, session=text, many=[text, octets]))
    )
    assert line.isprintable()
    assert len(line.splitlines()) == 1


@given(text=st.text())
def test_json_gives_the_text_back(text):
    assert json.loads(render_json(record(user=text)))["user"] == text


def test_a_long_value_is_cut():
    line = json.loads(render_json(record(user="x" * 1_000_000)))
    assert len(line["user"]) < 2_100
    assert line["user"].endswith("... (1000000 characters)")


def test_traceback_stays_with_its_line(tmp_path):
    output = logs.set_up("INFO", "json", tmp_path / "log")
    try:
        raise ValueError("line one\nline two")
    except ValueError as error:
        Log("imap", session="s1").error("bug", error=error)
    output.close()
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert json.loads(line)["traceback"].endswith("ValueError: line one\nline two")


def test_a_bug_that_nobody_caught_is_in_the_log_and_on_the_terminal(tmp_path, capsys):
    logs.set_up("INFO", "json", tmp_path / "log")
    try:
        raise ValueError("nobody caught me")
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    assert "nobody caught me" in json.loads((tmp_path / "log").read_text())["traceback"]
    assert "nobody caught me" in capsys.readouterr().err


def test_console_traceback_is_escaped_line_by_line():
    made = record()
    try:
        raise ValueError("\x1b[2J gone")
    except ValueError:
        made.exc_info = sys.exc_info()
    lines = render_console(made).split("\n")
    assert all(line.isprintable() for line in lines)
    assert all(line.startswith("    | ") for line in lines[1:])


def test_levels(tmp_path):
    output = logs.set_up("WARNING", "json", tmp_path / "log")
    log = Log("smtp")
    log.debug("no")
    log.info("no")
    log.warning("yes")
    logging.getLogger("somebody.else").info("no")
    logging.getLogger("somebody.else").warning("yes")
    output.close()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(line["logger"], line["event"]) for line in lines] == [
        ("smtp", "yes"),
        ("somebody.else", "yes"),
    ]


def test_reopen_goes_on_in_a_new_file(tmp_path):
    path = tmp_path / "log"
    output = logs.set_up("INFO", "json", path)
    log = Log("smtp")
    log.info("one")
    path.rename(tmp_path / "log.1")
    log.info("two")
    output.reopen()
    log.info("three")
    output.close()
    assert [json.loads(x)["event"] for x in (tmp_path / "log.1").open()] == ["one", "two"]
    assert [json.loads(x)["event"] for x in path.open()] == ["three"]


def test_the_thread_writes_everything(tmp_path):
    output = logs.set_up("INFO", "json", tmp_path / "log")
    output.start()
    threads = [
        threading.Thread(target=lambda n=n: [Log("t").info("x", n=n, i=i) for i in range(500)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    output.close()
    seen = [json.loads(line) for line in (tmp_path / "log").open()]
    assert len(seen) == 2_000
    for n in range(4):
        assert [line["i"] for line in seen if line["n"] == n] == list(range(500))


def test_a_reader_that_stands_still_holds_up_nobody(monkeypatch):
    monkeypatch.setattr(logs, "BACKLOG", 1_000)
    reading, writing = os.pipe()
    output = logs.set_up("INFO", "json", Path(f"/proc/self/fd/{writing}"))
    output.start()
    log = Log("smtp")
    begun = time.monotonic()
    for i in range(5_000):
        log.info("x", i=i, text="y" * 100)
    assert time.monotonic() - begun < 10

    lines: list[bytes] = []

    def reader() -> None:
        with open(reading, "rb") as file:  # noqa: PTH123  # a descriptor, not a path
            lines.extend(file)

    thread = threading.Thread(target=reader)
    thread.start()
    time.sleep(0.2)
    log.info("back again")
    output.close()
    os.close(writing)
    thread.join()
    events = [json.loads(line) for line in lines]
    assert events[-1]["event"] == "back again" or events[-1]["event"] == "log lines lost"
    lost = sum(line["count"] for line in events if line["event"] == "log lines lost")
    assert lost > 0
    assert lost + sum(line["event"] == "x" for line in events) == 5_000


@pytest.mark.parametrize("has_thread", [False, True])
def test_the_end_does_not_wait_for_a_reader_that_stands_still(monkeypatch, has_thread):
    monkeypatch.setattr(logs, "CLOSE_S", 0.2)
    reading, writing = os.pipe()
    output = logs.set_up("INFO", "json", Path(f"/proc/self/fd/{writing}"))
    if has_thread:
        output.start()
    begun = time.monotonic()
    for _ in range(2_000):
        Log("smtp").info("x", text="y" * 100)
    output.close()
    assert time.monotonic() - begun < 10
    os.close(reading)
    os.close(writing)


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(MailError) as caught:
        logs.set_up("INFO", "json", tmp_path / "none" / "log")
    assert str(caught.value) == (
        f"log.file {tmp_path}/none/log: cannot be written: No such file or directory"
    )


def test_a_value_that_cannot_be_shown_costs_no_more_than_its_line(tmp_path):
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError

    output = logs.set_up("INFO", "json", tmp_path / "log")
    Log("smtp").info("x", value=Broken())
    output.close()
    (line,) = map(json.loads, (tmp_path / "log").open())
    assert line["event"] == "log line cannot be rendered"


def test_other_people_may_not_write_the_file(tmp_path):
    logs.set_up("INFO", "json", tmp_path / "log").close()
    assert (tmp_path / "log").stat().st_mode & 0o027 == 0
