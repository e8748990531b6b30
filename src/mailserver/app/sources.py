"""The two places configuration comes from, as trees of values that remember where they stood.

Spec: YAML 1.1 as PyYAML reads it, plain data only.  Status: complete.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Key = tuple[str, ...]

DEPTH = 10  #: nested collections in a configuration file; a cyclic alias ends here
PREFIX = "MAILSERVER_"

#: what container platforms set for a neighbour that happens to be called "mailserver"
_LINKS = re.compile(r"MAILSERVER_(SERVICE_.*|PORT|PORT_\d.*|NAME|ENV_.*)")

#: names with a meaning of their own: which file to read, and what the set-up scripts understand
_RESERVED = frozenset({"MAILSERVER_CONFIG", "MAILSERVER_VENV", "MAILSERVER_NO_INSTALL"})


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the configuration.  *where* is "file:line", a variable, or "" for the whole."""

    where: str
    key: str
    text: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.key, self.text) if part)


@dataclass(slots=True)
class Source:
    """Values as written, and for each key where it stands.

    base: the folder that relative paths start from.
    """

    base: Path
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[Key, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def read_yaml(path: Path) -> Source:
    """What the file *path* says.  Never raises on its content: what is wrong is in `problems`."""
    import yaml

    source = Source(base=path.absolute().parent)
    try:
        text = path.read_text(encoding="utf-8-sig")
        root = yaml.compose(text, Loader=yaml.SafeLoader)  # its texts are the same everywhere
    except OSError as error:
        source.problems.append(Problem(str(path), "", f"cannot be read: {error.strerror}"))
        return source
    except UnicodeDecodeError as error:
        source.problems.append(Problem(str(path), "", f"is not UTF-8 at octet {error.start}"))
        return source
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "no YAML"
        source.problems.append(Problem(where, "", f"not valid YAML: {reason}"))
        return source
    if root is None:
        return source
    if not isinstance(root, yaml.MappingNode):
        source.problems.append(Problem(f"{path}:1", "", "must be a list of keys and values"))
        return source
    value = _Reader(path, source, yaml.SafeLoader("")).value(root, ())
    source.values = value if isinstance(value, dict) else {}
    return source


class _Reader:
    """Turns YAML nodes into plain values and notes their lines."""

    def __init__(self, path: Path, source: Source, loader: Any) -> None:
        self.path = path
        self.source = source
        self.loader = loader  # only for its rules on what a plain scalar means

    def value(self, node: Any, key: Key) -> Any:
        import yaml

        if len(key) > DEPTH:
            self.problem(node, key, "is nested too deep")
            return None
        self.source.places.setdefault(key, self.where(node))
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(n, (*key, str(i))) for i, n in enumerate(node.value)]
        try:
            return self.loader.construct_object(node)
        except (yaml.YAMLError, ValueError):
            self.problem(node, key, f"cannot be read as a value ({node.tag})")
            return None

    def mapping(self, node: Any, key: Key) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name_node, value_node in node.value:
            name = str(name_node.value)
            if name in found:
                first = self.source.places[(*key, name)]
                self.problem(name_node, (*key, name), f"is set twice, first at {first}")
                continue
            self.source.places[(*key, name)] = self.where(name_node)
            found[name] = self.value(value_node, (*key, name))
        return found

    def where(self, node: Any) -> str:
        return f"{self.path}:{node.start_mark.line + 1}"

    def problem(self, node: Any, key: Key, text: str) -> None:
        self.source.problems.append(Problem(self.where(node), ".".join(key), text))


def read_environment(
    environ: Mapping[str, str], keys: Collection[Key], lists: Collection[Key], base: Path
) -> Source:
    """What the MAILSERVER_ variables say about *keys*; those in *lists* are written as JSON.

    Values stay text, but for lists and the empty string, which stands for null.
    """
    source = Source(base=base)
    names = {variable_of(key): key for key in keys}
    for variable, text in sorted(environ.items()):
        if not variable.startswith(PREFIX) or variable in _RESERVED or _LINKS.fullmatch(variable):
            continue
        key, from_file = names.get(variable), False
        if key is None and variable.endswith("_FILE"):
            key, from_file = names.get(variable.removesuffix("_FILE")), True
        if key is None:
            _note_unknown(variable, names, source)
            continue
        place = f"environment {variable}"
        if from_file:
            other = variable.removesuffix("_FILE")
            if other in environ:
                source.problems.append(Problem(place, _dotted(key), f"{other} is set as well"))
            try:
                text = Path(base, text).read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError, ValueError) as error:
                reason = getattr(error, "strerror", None) or "is not UTF-8 text"
                source.problems.append(Problem(place, _dotted(key), f"{text}: {reason}"))
                continue
        try:
            value = json.loads(text) if key in lists else text or None
        except ValueError:
            example = '["127.0.0.1:2525", "[::1]:2525"]'
            reason = f"must be a list as JSON, as {example}"
            source.problems.append(Problem(place, _dotted(key), reason))
            continue
        source.places[key] = place
        _put(source.values, key, value)
    return source


def variable_of(key: Key) -> str:
    """("tls", "mode") -> "MAILSERVER_TLS__MODE"."""
    return PREFIX + "__".join(key).upper()


def nearest(word: str, words: Iterable[str]) -> str:
    """The one of *words* that *word* may have been meant to be, else ""."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(words), n=1, cutoff=0.7)), "")


def _note_unknown(variable: str, names: Mapping[str, Key], source: Source) -> None:
    """A misspelt key is a mistake; a name that looks like no key may be meant for somebody else."""
    place = f"environment {variable}"
    inner = [name for name in names if name.startswith(f"{variable}__")]
    plain = {name.removeprefix(PREFIX): name for name in names}
    close = nearest(variable.removeprefix(PREFIX), plain)
    if inner:
        text = f"is a section; its keys are {', '.join(inner)}"
        source.problems.append(Problem(place, "", text))
    elif close:
        source.problems.append(Problem(place, "", f"no such key; did you mean {plain[close]}?"))
    elif "__" in variable:
        source.problems.append(Problem(place, "", "no such key"))
    else:
        source.warnings.append(Problem(place, "", "no such key; it is not used"))


def _dotted(key: Key) -> str:
    return ".".join(key)


def _put(values: dict[str, Any], key: Key, value: Any) -> None:
    for name in key[:-1]:
        values = values.setdefault(name, {})
    values[key[-1]] = value


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """*below* with what *above* says instead; sections are merged, values and lists replaced."""
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name)
        both = isinstance(value, dict) and isinstance(under, dict)
        merged[name] = merge(under, value) if both and under is not None else value
    return merged


def walk(values: Mapping[str, Any], prefix: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Every key with its value, sections before their keys."""
    for name, value in values.items():
        yield (*prefix, name), value
        if isinstance(value, dict):
            yield from walk(value, (*prefix, name))
