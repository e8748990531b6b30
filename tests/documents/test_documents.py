"""What is written in documents, and what documents cannot do to whoever reads them."""

import contextlib
import io
import os
import signal
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.papers import HOSTILE, archive, docx, odt, pdf, pptx, xlsx
from mailserver.base.limits import SearchLimits
from mailserver.documents import child, office
from mailserver.documents.kinds import kind_of
from mailserver.documents.office import Unreadable
from mailserver.jobs.reading import DocumentReader

LIMITS = SearchLimits(attachment_time_s=2, attachment_text=200_000)


@pytest.fixture(scope="module")
def reader() -> Iterator[DocumentReader]:
    reader = DocumentReader(LIMITS)
    yield reader
    reader.close()


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        ("docx", docx("Grüße aus Köln", "second one"), "Grüße aus Köln second one"),
        ("docx", archive({"word/document.xml": "<w:t>no namespace</w:t>"}), "no namespace"),
        ("xlsx", xlsx("one", "two &amp; three"), "one two & three 0 4711"),
        (
            "pptx",
            pptx(*(f"slide {n}" for n in range(1, 12))),
            " ".join(f"slide {n}" for n in range(1, 12)),
        ),
        ("odf", odt("Grüße", "zweiter"), "Grüße zweiter"),
        ("pdf", pdf("Hello World", "second page"), "Hello World second page"),
        ("text", "Grüße".encode(), "Grüße"),
        ("text", "Grüße".encode("utf-16"), "Grüße"),
        ("text", "Grüße".encode("cp1252"), "Grüße"),
        ("html", "<p>Grü<b>ße</b></p>".encode(), "grüße"),
        ("text", b"", ""),
    ],
)
def test_texts(reader: DocumentReader, kind: str, data: bytes, text: str) -> None:
    found, reason = reader.read(kind, data)
    assert " ".join(found.split()) == text
    assert reason == ""


def test_a_long_text_is_cut(reader: DocumentReader) -> None:
    text, reason = reader.read("text", b"word " * 100_000)
    assert len(text) == LIMITS.attachment_text
    assert reason == "longer"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents_end_within_their_bounds(reader: DocumentReader, name: str) -> None:
    kind, make = HOSTILE[name]
    data = make()
    start = time.monotonic()
    text, _reason = reader.read(kind, data)
    assert len(text) <= LIMITS.attachment_text
    assert time.monotonic() - start < 2 * LIMITS.attachment_time_s + 8
    assert reader.read("text", b"still here").text == "still here"


def test_memory_is_bounded() -> None:
    reader = DocumentReader(replace(LIMITS, attachment_memory=150_000_000))
    kind, make = HOSTILE["stream that explodes"]
    text, reason = reader.read(kind, make())
    assert reason
    assert not text
    assert reader.read("text", b"still here").text == "still here"
    reader.close()


def test_a_child_that_dies_is_replaced() -> None:
    reader = DocumentReader(LIMITS)
    assert reader.read("text", b"one").text == "one"
    assert reader._child is not None
    os.kill(reader._child.pid, signal.SIGKILL)
    reader._child.wait()
    assert reader.read("text", b"two").text == "two"
    os.kill(reader._child.pid, signal.SIGSTOP)  # and one that hangs, too
    reader._limits = replace(LIMITS, attachment_time_s=0.01)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mailserver.jobs.reading._SLACK_S", 0.2)
        assert reader.read("text", b"three").reason == "reading it takes too long"
    assert reader.read("text", b"four").text == "four"
    reader.close()


def test_nobody_waits_for_it_when_it_is_over() -> None:
    reader = DocumentReader(LIMITS)
    reader.read("text", b"one")
    assert reader._child is not None
    os.kill(reader._child.pid, signal.SIGSTOP)
    reader._is_over = lambda: True
    start = time.monotonic()
    assert reader.read("text", b"two").reason
    assert time.monotonic() - start < 1.5
    reader.close()


def test_the_child_is_confined(reader: DocumentReader) -> None:
    reader.read("text", b"x")
    assert reader._child is not None
    limits = Path(f"/proc/{reader._child.pid}/limits").read_text()
    for line in ("Max address space", "Max file size", "Max core file size", "Max open files"):
        row = next(row for row in limits.splitlines() if row.startswith(line))
        assert "unlimited" not in row, row
    environment = Path(f"/proc/{reader._child.pid}/environ").read_bytes()
    assert {entry.partition(b"=")[0] for entry in environment.split(b"\0") if entry} <= {
        b"PYTHONPATH",
        b"PYTHONDONTWRITEBYTECODE",
        b"LC_CTYPE",
    }


@settings(max_examples=60)
@given(st.data())
def test_damage_raises_what_the_child_expects(data: st.DataObject) -> None:
    kind, whole = data.draw(
        st.sampled_from(
            [("docx", docx("some text here")), ("xlsx", xlsx("a", "b")), ("odf", odt("x"))]
        )
    )
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 8))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Unreadable):
        "".join(office.read(kind, bytes(broken), 100_000))


@given(st.binary(max_size=300))
def test_garbage_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        list(office.read("docx", data, 1_000))


def test_other_compressions_are_passed_over() -> None:
    data = archive({"word/document.xml": "<w:t>x</w:t>"}, zipfile.ZIP_LZMA)
    assert "".join(office.read("docx", data, 1_000)) == ""


@pytest.mark.parametrize(
    ("content_type", "filename", "kind"),
    [
        ("application/pdf", "", "pdf"),
        ("application/octet-stream", "Report.PDF", "pdf"),
        ("application/octet-stream", "report", ""),
        ("application/octet-stream", "setup.exe", ""),
        ("application/msword", "letter.docx", "docx"),
        ("image/png", "picture.txt", ""),
        ("application/vnd.oasis.opendocument.text", "x.bin", "odf"),
        ("application/zip", "many.zip", ""),
    ],
)
def test_kinds(content_type: str, filename: str, kind: str) -> None:
    assert kind_of(content_type, filename) == kind


def test_requests_are_answered_in_order() -> None:
    """The child itself, without a process: an end in the middle of a request ends it."""
    requests = io.BytesIO(
        b'{"kind": "text", "size": 3, "text": 10, "time_s": 1000}\nabc'
        b'{"kind": "nothing", "size": 0, "text": 10, "time_s": 1000}\n'
        b'{"kind": "text", "size": 30, "text": 10, "time_s": 1000}\nabc'
    )
    answers = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "_allow_time", lambda _seconds: None)
        child._serve(requests, answers)
    first, second = answers.getvalue().split(b"\n", 1)[0], answers.getvalue().split(b"abc", 1)[1]
    assert first == b'{"size": 3, "reason": ""}'
    assert second.startswith(b'{"size": 0, "reason": "Unreadable')
