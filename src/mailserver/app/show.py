"""The effective configuration as text that is itself a valid configuration, each value with its origin."""

import json
import re
from collections.abc import Iterator
from typing import Any

from mailserver.app.config import Key, leaves
from mailserver.app.load import Loaded

COLUMN = 54  #: the origins stand behind it
RESERVED = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


def plain(value: Any) -> Any:
    """*value* as JSON and YAML write it: endpoints, paths and networks as text."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def as_json(loaded: Loaded) -> dict[str, Any]:
    """{"tls.mode": {"value": "files", "from": "mailserver.yaml:12"}, ...}."""
    return {
        ".".join(key): {"value": plain(value), "from": loaded.place(key)}
        for key, value in leaves(loaded.config).items()
    }


def as_yaml(loaded: Loaded) -> Iterator[str]:
    """The lines of a configuration file that says the same, with the origins as comments."""
    above: Key = ()
    for key, value in leaves(loaded.config).items():
        section = key[:-1]
        for depth in range(len(section)):
            if section[: depth + 1] != above[: depth + 1]:
                yield f"{'  ' * depth}{section[depth]}:"
        above = section
        text = f"{'  ' * len(section)}{key[-1]}: {scalar(plain(value))}"
        yield f"{text:{COLUMN}}  # {loaded.place(key)}"


def scalar(value: Any) -> str:
    """*value* in YAML on one line; text is quoted unless it cannot be taken for anything else."""
    is_word = isinstance(value, str) and re.fullmatch(r"[A-Za-z/][A-Za-z/-]*", value)
    return (
        value
        if is_word and value.lower() not in RESERVED
        else json.dumps(value, ensure_ascii=False)
    )
