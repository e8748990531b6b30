"""Reading the configuration: file, then environment over it, every mistake named with its place.

Spec: docs/guide/configuration.md.  Status: complete.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mailserver.app.config import Config, Key, contradictions, leaves
from mailserver.app.sources import (
    Problem,
    Source,
    merge,
    nearest,
    read_environment,
    read_yaml,
    walk,
)
from mailserver.base.errors import MailError

#: where a configuration is looked for when none is named
SEARCHED = (Path("mailserver.yaml"), Path("/etc/mailserver/mailserver.yaml"))

#: keys that are paths, and keys that may hold unix:PATH; relative ones start at the folder of the file, or
#: where the program was started
PATHS: frozenset[Key] = frozenset(
    {("data_dir",), ("tls", "certificate"), ("tls", "key"), ("tls", "client_ca"), ("log", "file")}
)
ENDPOINTS: frozenset[Key] = frozenset({("clamav", "socket"), ("spamassassin", "address")})

DEFAULT = "default"


class ConfigError(MailError):
    """The configuration cannot be used; *problems* says why, each with its place."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(str(p) for p in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration and where each of its values comes from.

    path:   the file that was read, None when there is none.
    places: key -> "mailserver.yaml:3" or "environment MAILSERVER_HOSTNAME"; a key that is missing has its default.
    warnings: variables that may be meant for us.
    """

    config: Config
    path: Path | None
    places: Mapping[Key, str]
    warnings: tuple[Problem, ...] = ()

    def place(self, key: Key) -> str:
        """Where the value of *key* comes from."""
        return self.places.get(key, DEFAULT)


def find(named: Path | None, environ: Mapping[str, str], folder: Path) -> Path | None:
    """The file to read: the one named, else $MAILSERVER_CONFIG, else the first of SEARCHED that exists."""
    if named is not None:
        return folder / named
    if variable := environ.get("MAILSERVER_CONFIG"):
        return folder / variable
    return next((path for path in (folder / p for p in SEARCHED) if path.exists()), None)


def load(
    named: Path | None = None,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Loaded:
    """The configuration from the file (`find`) and the environment.  Raises ConfigError with all that is wrong."""
    environ = os.environ if environ is None else environ
    folder = Path.cwd() if folder is None else folder
    path = find(named, environ, folder)
    defaults = leaves(Config())
    lists = {key for key, value in defaults.items() if isinstance(value, tuple)}
    sections = {key[:n] for key in defaults for n in range(1, len(key))}

    file = read_yaml(path) if path is not None else Source(base=folder)
    env = read_environment(environ, defaults.keys(), lists, folder)
    problems = file.problems + env.problems
    for source in (file, env):
        source.values = _anchored(_sections(source.values, sections), source.base)
    values = merge(file.values, env.values)
    places = _places(file, env)
    if "data_dir" not in values:
        values["data_dir"] = file.base / "data"

    def where(key: Key) -> str:
        return next((places[key[:n]] for n in range(len(key), 0, -1) if key[:n] in places), "")

    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            key = tuple(str(part) for part in detail["loc"])
            problems.append(Problem(where(key), _name(key), _text(key, detail, defaults)))
        raise ConfigError(_ordered(problems)) from None
    problems += [Problem(where(key), _name(key), text) for key, text in contradictions(config)]
    if problems:
        raise ConfigError(_ordered(problems))
    known = {key: places[key] for key in defaults if key in places}
    return Loaded(config, path, known, tuple(env.warnings))


def _places(below: Source, above: Source) -> dict[Key, str]:
    """Where each value stands; what *above* replaces, list items with it, is forgotten below."""
    kept = {
        key: place
        for key, place in below.places.items()
        if not any(key[: len(over)] == over for over in above.places)
    }
    return kept | above.places


def _sections(values: dict[str, Any], sections: set[Key]) -> dict[str, Any]:
    """*values* without sections that are empty: `tls:` with every key commented out."""
    empty = [key for key, value in walk(values) if value is None and key in sections]
    for key in empty:
        inner = values
        for name in key[:-1]:
            inner = inner[name]
        del inner[key[-1]]
    return values


def _anchored(values: dict[str, Any], base: Path) -> dict[str, Any]:
    """*values* with relative paths put below *base*, "~" resolved."""

    def path(text: str) -> str:
        if not text or "\0" in text:
            return text  # its validation says so
        try:
            return str(base / Path(text).expanduser())
        except RuntimeError:  # "~" of nobody
            return str(base / text)

    def endpoint(text: Any) -> Any:
        if isinstance(text, str) and text.startswith("unix:") and text != "unix:":
            return "unix:" + path(text.removeprefix("unix:"))
        return text

    def anchor(key: Key, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: anchor((*key, name), v) for name, v in value.items()}
        if key in PATHS and isinstance(value, str):
            return path(value)
        if key in ENDPOINTS:
            return endpoint(value)
        if key[:1] == ("listeners",) and isinstance(value, list):
            return [endpoint(item) for item in value]
        return value

    anchored: dict[str, Any] = anchor((), values)
    return anchored


def _name(key: Key) -> str:
    """("listeners", "smtp", "0") -> "listeners.smtp[0]"."""
    return "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in key).lstrip(".")


def _ordered(problems: list[Problem]) -> list[Problem]:
    """By file and line, so that the list reads as the file does."""

    def place(problem: Problem) -> tuple[str, int]:
        name, _, line = problem.where.rpartition(":")
        return (name, int(line)) if line.isdigit() else (problem.where, 0)

    return sorted(problems, key=place)


def _text(key: Key, detail: Any, defaults: Mapping[Key, Any]) -> str:
    """Pydantic's finding in our words: what is wrong, and what is allowed."""
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    match kind:
        case "extra_forbidden" | "unexpected_keyword_argument":
            siblings = {k[len(key) - 1] for k in defaults if k[: len(key) - 1] == key[:-1]}
            allowed = ", ".join(sorted(siblings))
            close = nearest(key[-1], siblings)
            return f"no such key; {f'did you mean {close}?' if close else f'allowed: {allowed}'}"
        case "literal_error":
            allowed = context["expected"].replace("'", "").replace(" or ", ", ")
            close = nearest(str(value), allowed.split(", "))
            hint = f"did you mean {close}?; " if close else ""
            return f"{value!r} is not allowed; {hint}one of: {allowed}"
        case "value_error":
            return str(context["error"])
        case "tuple_type":
            example = ", ".join(str(item) for item in defaults.get(key, ())) or ":2525"
            return f'must be a list, as ["{example}"]'
        case "model_type" | "dataclass_type":
            names = {k[len(key)] for k in defaults if k[: len(key)] == key}
            return f"must be a section with keys of its own: {', '.join(sorted(names))}"
        case "string_type":
            return f"must be text; put {value} in quotes" if value is not None else "must be text"
        case "path_type":
            return "must be a path"
        case "int_type" | "int_parsing" | "int_from_float" | "int_parsing_size":
            return f"{value!r} is not a whole number"
        case "float_type" | "float_parsing" | "finite_number":
            return f"{value!r} is not a number"
        case "greater_than_equal":
            return f"must be at least {context['ge']}"
        case "less_than_equal":
            return f"must be at most {context['le']}"
        case _:
            return str(detail["msg"])
