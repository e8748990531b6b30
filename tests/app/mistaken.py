"""Configurations that are wrong, and what is said about them."""

from pathlib import Path

import pytest

from mailserver.app.load import ConfigError, load


def written(folder: Path, text: str) -> Path:
    path = folder / "mailserver.yaml"
    path.write_text(text)
    return path


def mistakes(folder: Path, text: str | None, environ: dict[str, str] | None = None) -> list[str]:
    """What is said about the configuration *text*, the file's folder cut off."""
    path = written(folder, text) if text is not None else None
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {}, folder)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]
