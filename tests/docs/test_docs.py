"""The documentation is true where a program can tell: links, commands, names of files, and nothing but the project."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("src", "tests", "docs", "tools", "scripts", "bench", "requirements", ".ci")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/**/*.md")])
SUFFIXES = {
    ".py",
    ".md",
    ".txt",
    ".sql",
    ".toml",
    ".tsv",
    ".in",
    ".sh",
    ".yaml",
    ".yml",
    ".cfg",
    "",
}


def sources() -> Iterator[Path]:
    """Every text file of the repository."""
    for top in sorted(ROOT.iterdir()):
        files = sorted(top.rglob("*")) if top.name in OURS else [top] if top.is_file() else []
        for path in files:
            is_cache = "__pycache__" in path.parts or path.name.startswith((".coverage", ".venv"))
            if path.is_file() and path.suffix in SUFFIXES and not is_cache and path.name != ".git":
                yield path


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in heads}


def code_blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        goal = (page.parent / name).resolve() if name else page
        assert goal.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(goal), f"{page.name} links to {target}"


def commands() -> list[tuple[str, str]]:
    """(page, line) for every command in a shell block of README, CONTRIBUTING and the guide."""
    pages = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs/guide").glob("*.md")),
    ]
    return [
        (page.name, line.split("#")[0].strip())
        for page in pages
        for block in code_blocks(page, "sh")
        for line in block.splitlines()
        if line.strip() and not line.startswith("#")
    ]


@pytest.mark.parametrize(("page", "line"), commands())
def test_commands_in_the_documentation_exist(page, line):
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for part in re.split(r"&&|\|", line):
        words = part.split()
        while words and re.match(r"[A-Z_]+=", words[0]):
            words = words[1:]
        if words and words[0].startswith("scripts/"):
            assert (ROOT / words[0]).stat().st_mode & 0o111, f"{page}: {line}"
        if words and words[0] == "make":
            wanted = [w for w in words[1:] if "=" not in w]
            assert set(wanted) <= set(targets), f"{page}: {line}"


def test_the_two_commands_stand_in_the_readme():
    lines = [line for page, line in commands() if page == "README.md"]
    assert lines[:2] == ["scripts/serve", "scripts/test"]


def test_every_decision_is_listed():
    folder = ROOT / "docs/decisions"
    listed = re.findall(r"\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text())
    assert listed == sorted(p.name for p in folder.glob("[0-9]*.md"))


def test_every_page_of_the_guide_is_listed():
    folder = ROOT / "docs/guide"
    text = (folder / "index.md").read_text()
    missing = [
        p.name for p in folder.glob("*.md") if p.name != "index.md" and f"({p.name})" not in text
    ]
    assert missing == []


def test_files_named_in_the_architecture_stand_there():
    """`imap/commands/move.py` in docs/architecture.md is a file of src/mailserver."""
    text = (ROOT / "docs/architecture.md").read_text()
    names = re.findall(r"`([a-z_]+(?:/[a-z_0-9]+)+\.(?:py|sql|txt|md))`", text)
    assert len(names) > 10
    missing = [
        n for n in names if not ((ROOT / "src/mailserver" / n).exists() or (ROOT / n).exists())
    ]
    assert missing == []


def test_every_run_time_dependency_has_its_reason():
    import tomllib

    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.match(r"[A-Za-z0-9-]+", d)[0] for d in listed}
    record = (ROOT / "docs/decisions/0002-dependencies.md").read_text()
    rows = re.findall(r"^\| ([\w, -]+) \|", record, re.MULTILINE)
    told = {name for row in rows for name in row.split(", ")} - {"library"}
    assert names == told


def test_dependencies_are_locked_with_hashes():
    for name in ("run.txt", "dev.txt"):
        text = (ROOT / "requirements" / name).read_text()
        pins = re.findall(r"^[a-z].*", text, re.MULTILINE)
        assert pins
        assert all("==" in p and p.endswith("\\") for p in pins)
        assert text.count("--hash=sha256:") >= len(pins)


def test_nothing_names_a_place_outside_the_repository():
    words = ["/wo" + "rk/", r"\.\./sha" + "red", "/fa" + "rm/", "/root/\\."]
    pattern = re.compile("|".join(words))
    found = [
        f"{path.relative_to(ROOT)}: {m[0]}"
        for path in sources()
        if (m := pattern.search(path.read_text(encoding="utf-8", errors="replace")))
    ]
    assert found == []


def test_the_scripts_are_shell_that_every_shell_reads():
    for path in (ROOT / "scripts").iterdir():
        done = subprocess.run(["sh", "-n", path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_changelog_has_a_place_for_what_comes():
    text = (ROOT / "CHANGELOG.md").read_text()
    assert text.index("## [Unreleased]") < text.index("### Added")
