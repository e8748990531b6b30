"""The floor table: drawn from the contract, filled from the rooms' own words."""

import pytest

import rooms

CONTRACT = """
[[tool.importlinter.contracts]]
name = "floors"
type = "layers"
layers = ["mailserver.app", "mailserver.servers : mailserver.jobs", "mailserver.smtp | mailserver.sasl",
  "mailserver.mime", "mailserver.base"]
"""


def test_floors_count_from_the_ground_and_formats_share_theirs():
    assert rooms.floors(CONTRACT) == [
        ["app"],
        ["servers", "jobs"],
        ["smtp", "sasl", "mime"],
        ["base"],
    ]


def test_a_missing_contract_is_said():
    with pytest.raises(ValueError, match="no import contract"):
        rooms.floors('[[tool.importlinter.contracts]]\ntype = "forbidden"\n')


@pytest.mark.parametrize(
    ("said", "purpose"),
    [
        ('"""One thing.  Another."""', "One thing"),
        ('"""IMAP4rev1: grammar, e.g. of\nsets.\n\nMore."""', "IMAP4rev1: grammar, e.g. of sets"),
        ('"""No full stop"""', "No full stop"),
        ("x = 1", ""),
    ],
)
def test_a_rooms_purpose_is_its_first_sentence(tmp_path, said, purpose):
    (tmp_path / "__init__.py").write_text(said)
    assert rooms.purpose(tmp_path) == purpose


def test_the_table_replaces_the_old_one_and_is_stable(house):
    init = house.root / "src/mailserver/__init__.py"
    old = init.read_text()
    assert "    0  base         What every room may use" in old
    house.write("src/mailserver/mta/__init__.py", f'"""{"Long words about mail " * 9}."""\n')
    assert rooms.main(["--root", str(house.root)]) == 0
    new = init.read_text()
    assert new != old
    assert rooms.main(["--root", str(house.root)]) == 0
    assert init.read_text() == new
    assert rooms.main(["--root", str(house.root), "--check"]) == 0


def test_a_docstring_without_a_table_is_said():
    with pytest.raises(ValueError, match="no indented table"):
        rooms.with_table('"""Nothing."""\n', ["    0  base"])
