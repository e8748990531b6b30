"""The configuration: what is read, from where, and how every mistake is named."""

from pathlib import Path

import pytest

from mailserver.app.load import ConfigError, load


def mistakes(folder: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    """What is said about the configuration *text*, the file's folder cut off."""
    path = folder / "mailserver.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {}, folder)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "hostnam: a.example\n",
            ["mailserver.yaml:1: hostnam: no such key; did you mean hostname?"],
        ),
        (
            "log:\n  level: debg\n  format: xml\n",
            [
                "mailserver.yaml:2: log.level: 'DEBG' is not allowed; did you mean DEBUG?; "
                "one of: DEBUG, INFO, WARNING, ERROR",
                "mailserver.yaml:3: log.format: 'xml' is not allowed; one of: json, console",
            ],
        ),
    ],
)
def test_every_mistake_is_named_with_its_line(tmp_path, text, expected):
    assert mistakes(tmp_path, text) == expected
