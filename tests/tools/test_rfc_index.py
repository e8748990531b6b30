"""How citations and notes are found, and what the coverage page says of them."""

import pytest

from rfc_index import by_section, citations, declared, notes, page, sorted_index


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("RFC 6851 §3.3, §4", {(6851, "3.3"), (6851, "4")}),
        ("RFC 6851 §3.3 and §4.", {(6851, "3.3"), (6851, "4")}),
        ("(RFC 5321 §4.5.3.1.8)", {(5321, "4.5.3.1.8")}),
        ("RFC 3501 §9.", {(3501, "9")}),
        ("RFC 5256 §A", {(5256, "A")}),
        ("RFC 7103 says so", {(7103, "")}),
        ("RFC 9051 §6.4.4; RFC 3501 §6.4.4", {(9051, "6.4.4"), (3501, "6.4.4")}),
        ('@pytest.mark.rfc(5321, "4.2.1")', {(5321, "4.2.1")}),
        ('@pytest.mark.rfc(5321, "4.2", "2")', {(5321, "4.2"), (5321, "2")}),
        ("@pytest.mark.rfc(2049)", {(2049, "")}),
        ("-- RFC 7162 §3.1", {(7162, "3.1")}),
        ("RFC5321", set()),
        ("RFC 12", set()),
    ],
)
def test_citations(text, found):
    assert set(citations(text)) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1  # Deviates: RFC 5321 §4: we do not.\ny = 2", "RFC 5321 §4: we do not."),
        ("# Client: mutt 2.0 sends\n# two spaces.\n\n# else", "mutt 2.0 sends two spaces."),
        ('"""Does it.\n\nTodo: RFC 1 §2\nand more.\n\nElse.\n"""', "RFC 1 §2 and more."),
        ('"""Does it.  Todo: RFC 1 §2."""\nx = 1', "RFC 1 §2."),
        ("-- Deviates: one\n-- two\nCREATE", "one two"),
        ("# Todo: a\n# Todo: b", "a"),
    ],
)
def test_notes(text, said):
    assert next(notes(text, "f.py")).text == said


def test_two_notes_in_a_row_are_two():
    assert [n.text for n in notes("# Todo: a\n# Todo: b", "f.py")] == ["a", "b"]


def test_the_index_is_checked_line_by_line():
    rows, wrong = declared(
        "# head\n5321\tyes\tSMTP\n3501\tyes\tIMAP\n5321\tno\tSMTP\n1\tsure\tX\nfoo\n"
    )
    assert rows[3501] == ("yes", "IMAP")
    assert [w.partition(": ")[2].split(",")[0] for w in wrong] == [
        "RFC 3501 is not in its place",
        "RFC 5321 stands there twice",
        "wanted NUMBER<TAB>yes|partial|planned|no<TAB>TITLE",
        "wanted NUMBER<TAB>yes|partial|planned|no<TAB>TITLE",
    ]


def test_a_merged_index_is_sorted_and_the_stronger_claim_stays():
    merged = "# head\n9051\tplanned\tIMAP4rev2\n9051\tyes\tIMAP4rev2\n5321\tno\tSMTP\n"
    wanted = "# head\n5321\tno\tSMTP\n9051\tyes\tIMAP4rev2\n"
    assert sorted_index(merged) == wanted
    assert sorted_index(wanted) == wanted


def test_sections_sort_as_people_count():
    assert sorted(["10", "2.10", "A", "2.9", "2"], key=by_section) == [
        "2",
        "2.9",
        "2.10",
        "10",
        "A",
    ]


def test_the_page_names_an_rfc_without_citations_too():
    text = page({2177: ("planned", "IMAP IDLE")}, {}, [])
    assert "| IMAP IDLE | planned |  |  |  |" in text
    assert text.count("Nothing noted.") == 3
