"""Writes docs/rfc/coverage.md: RFC -> clauses -> modules -> tests, from the sources themselves.

    python tools/rfc_index.py            writes the page, sorts the index; exit 1 when claims and sources disagree
    python tools/rfc_index.py --check    writes nothing; exit 1 also when the page is stale

Reads `RFC 6851 §3.3, §4` in comments, docstrings, SQL and transcripts, `@pytest.mark.rfc(6851, "3.3")` in tests, the
`Status:` of module docstrings, and the notes `Deviates:`, `Client:`, `Todo:` in comments and docstrings.
"""

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CITE = re.compile(r"\bRFC (\d{3,5})((?:(?:,| and| to|-|\u2013)?\s*§{1,2}\s?[A-Z0-9][\w.]*)*)")
SECTION = re.compile(r"§\s?([A-Z0-9](?:[\w.]*\w)?)")
MARK = re.compile(r"mark\.rfc\(\s*(\d+)((?:,\s*[\"'][\w.]+[\"'])*),?\s*\)")
MARK_SECTION = re.compile(r"[\"']([\w.]+)[\"']")
NOTE = re.compile(r"(?:^|[\s#(])(Deviates|Client|Todo): (.+)")
STATUS = re.compile(r"\bStatus: ([^\n]+)")
CLAIMS = ("yes", "partial", "planned", "no")
SUFFIXES = {".py", ".sql", ".txt", ".eml"}


@dataclass(slots=True)
class Cited:
    """What the sources say of one RFC: section ("" for the whole) -> the files that cite it."""

    code: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    tests: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


@dataclass(frozen=True, slots=True)
class Note:
    """A deviation, a concession to a real client, or what is still missing, with its place."""

    kind: str
    text: str
    path: str


def citations(text: str) -> Iterator[tuple[int, str]]:
    """(6851, '3.3') for every clause named in *text*; '' when the whole RFC is meant."""
    for pattern, section in ((CITE, SECTION), (MARK, MARK_SECTION)):
        for number, sections in pattern.findall(text):
            yield from ((int(number), s) for s in section.findall(sections) or [""])


def notes(text: str, path: str) -> Iterator[Note]:
    """The notes of a source, with the lines that carry them on: a comment's further lines, a docstring's paragraph."""
    lines = text.splitlines()
    for i, line in enumerate(lines):
        m = NOTE.search(line)
        if not m:
            continue
        is_comment = "#" in line[: m.start(1)] or "--" in line[: m.start(1)]
        said = [m[2]]
        for more in lines[i + 1 :]:
            bare = more.strip()
            if is_comment and not bare.startswith(("#", "--")):
                break
            bare = bare.removeprefix("#").removeprefix("--").strip()
            if not bare or NOTE.search(more) or '"""' in said[-1]:
                break
            said.append(bare)
        words = " ".join(said).partition('"""')[0].strip()
        yield Note(m[1], words, path)


def declared(index: str) -> tuple[dict[int, tuple[str, str]], list[str]]:
    """The index's rows, number -> (claim, title), and what is wrong with it."""
    rows: dict[int, tuple[str, str]] = {}
    wrong: list[str] = []
    previous = 0
    for number, line in enumerate(index.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        parts = line.split("\t")
        if len(parts) != 3 or not parts[0].isdigit() or parts[1] not in CLAIMS or not parts[2]:
            wrong.append(f"index.tsv:{number}: wanted NUMBER<TAB>{'|'.join(CLAIMS)}<TAB>TITLE")
            continue
        rfc = int(parts[0])
        if rfc in rows:
            wrong.append(f"index.tsv:{number}: RFC {rfc} stands there twice")
        elif rfc < previous:
            wrong.append(f"index.tsv:{number}: RFC {rfc} is not in its place, sorted by number")
        previous = max(previous, rfc)
        rows[rfc] = (parts[1], parts[2])
    return rows, wrong


def sorted_index(index: str) -> str:
    """The index by number; of two rows for one RFC, as a merge of branches leaves them, the stronger claim stays."""
    head, rows = [], []
    for line in index.splitlines():
        parts = line.split("\t")
        is_row = len(parts) == 3 and parts[0].isdigit() and parts[1] in CLAIMS
        if is_row:
            rows.append((int(parts[0]), CLAIMS.index(parts[1]), line))
        elif line not in head:
            head.append(line)
    best = {rfc: line for rfc, _, line in sorted(rows, key=lambda row: (row[0], -row[1]))}
    return "\n".join([*head, *best.values()]) + "\n"


def sources(root: Path) -> Iterator[tuple[Path, bool]]:
    """Every source that may cite, and whether it is a test.  Tests of these tools cite for show and do not count."""
    for folder, is_test in (("src", False), ("tests", True)):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SUFFIXES and not path.is_relative_to(root / "tests/tools"):
                yield path, is_test


def by_section(section: str) -> tuple[tuple[int, int | str], ...]:
    """A sort key: 2 before 10, numbers before letters."""
    return tuple((0, int(p)) if p.isdigit() else (1, p) for p in section.split("."))


def link(rfc: int, section: str) -> str:
    """The clause on rfc-editor.org."""
    kind = "section" if section[0].isdigit() else "appendix"
    return f"[{section}](https://www.rfc-editor.org/rfc/rfc{rfc}#{kind}-{section})"


def page(rows: dict[int, tuple[str, str]], cited: dict[int, Cited], found: list[Note]) -> str:
    """The text of coverage.md."""
    out = [
        "# RFC coverage",
        "",
        "Generated by `make rfc` from the citations in code and tests; do not edit.  "
        "Claims: [index.tsv](index.tsv).",
        "",
        "| RFC | title | claim | modules | clauses in code | clauses tested |",
        "|-|-|-|-|-|-|",
    ]
    for rfc, (claim, title) in sorted(rows.items()):
        c = cited.get(rfc, Cited())
        modules = sorted(set().union(*c.code.values())) if c.code else []
        cells = [
            ", ".join(link(rfc, s) for s in sorted(filter(None, part), key=by_section))
            or ("whole" if part else "")
            for part in (c.code, c.tests)
        ]
        names = ", ".join(f"`{m.removeprefix('src/mailserver/')}`" for m in modules)
        number = f"[{rfc}](https://www.rfc-editor.org/rfc/rfc{rfc})"
        out.append(f"| {number} | {title} | {claim} | {names} | {cells[0]} | {cells[1]} |")
    for kind, head in (
        ("Deviates", "Where we knowingly leave an RFC"),
        ("Client", "Where a real client forces it"),
        ("Todo", "What an RFC asks and we do not do yet"),
    ):
        out += ["", f"## {head}", ""]
        lines = [f"- {n.text} (`{n.path}`)" for n in found if n.kind == kind]
        out += lines or ["Nothing noted."]
    return "\n".join(out) + "\n"


def build(root: Path) -> tuple[str, list[str]]:
    """The page, and every disagreement between index and sources."""
    cited: dict[int, Cited] = defaultdict(Cited)
    found: list[Note] = []
    where: dict[int, str] = {}
    for path, is_test in sources(root):
        text = path.read_text(encoding="utf-8", errors="replace")
        name = path.relative_to(root).as_posix()
        for rfc, section in citations(text):
            into = cited[rfc].tests if is_test else cited[rfc].code
            into[section].add(name)
            where.setdefault(rfc, name)
        if not is_test:
            found += notes(text, name.removeprefix("src/mailserver/"))
    rows, wrong = declared((root / "docs/rfc/index.tsv").read_text(encoding="utf-8"))
    wrong += [
        f"RFC {rfc} is cited in {where[rfc]} but not declared in docs/rfc/index.tsv"
        for rfc in sorted(cited.keys() - rows.keys())
    ]
    for rfc, (claim, _) in sorted(rows.items()):
        if claim in {"yes", "partial"}:
            c = cited.get(rfc, Cited())
            wrong += [
                f"RFC {rfc} is claimed '{claim}' but has no {what}"
                for part, what in ((c.code, "code"), (c.tests, "test"))
                if not part
            ]
    return page(rows, cited, found), wrong


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 1 when something disagrees."""
    parser = argparse.ArgumentParser(description="RFC coverage from citations")
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a stale page")
    parser.add_argument("--root", type=Path, default=Path(__file__).parent.parent)
    options = parser.parse_args(arguments)
    index = options.root / "docs/rfc/index.tsv"
    if not options.check:
        index.write_text(sorted_index(index.read_text(encoding="utf-8")), encoding="utf-8")
    text, wrong = build(options.root)
    target = options.root / "docs/rfc/coverage.md"
    if options.check:
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            wrong.append("docs/rfc/coverage.md is stale: make rfc")
    else:
        target.write_text(text, encoding="utf-8")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
