"""What every command of the command line shares: --config, --json, refusals, examples before options."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from mailserver.base.errors import MailError

if TYPE_CHECKING:
    from mailserver.app.load import Loaded
    from mailserver.store.store import Store


@dataclass(frozen=True, slots=True)
class Caller:
    """Who called a command and how the answer shall look."""

    config_file: Path | None
    as_json: bool

    def load(self) -> "Loaded":
        """The configuration.  Raises ConfigError."""
        from mailserver.app.load import load

        return load(self.config_file)

    @contextmanager
    def store(self, *, create: bool = False) -> "Iterator[Store]":
        """The store of the configuration (`admin.opened`).  Raises ConfigError, NotFound, Cannot."""
        from mailserver.app.admin import opened

        with opened(self.load(), create=create) as store:
            yield store

    def answer(self, value: Any, text: str | Iterable[str]) -> None:
        """Print *value* as JSON, or *text* for people."""
        if self.as_json:
            click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
        else:
            for line in [text] if isinstance(text, str) else text:
                click.echo(line)


@dataclass(frozen=True, slots=True)
class Octets:
    """The value of a size option; None octets: no bound."""

    octets: int | None


class Size(click.ParamType[Octets]):
    """500M, 5G, none."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Octets:
        """Raises click's usage error."""
        from mailserver.app.sizes import parse_size

        try:
            return value if isinstance(value, Octets) else Octets(parse_size(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Refused(click.ClickException):
    """Exit status 1, with the reason on one line; with --json as an object on standard output."""

    exit_code = 1

    def __init__(self, reasons: Sequence[str], as_json: bool) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = reasons
        self.as_json = as_json

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it."""
        if self.as_json:
            click.echo(json.dumps({"error": "; ".join(self.reasons)}, ensure_ascii=False))
        else:
            for reason in self.reasons:
                click.echo(reason, file=file or sys.stderr)


def one_line(text: str) -> str:
    """*text* with everything that would break a line or a terminal escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def common_options() -> list[click.Parameter]:
    """--config and --json; they may stand before the command as well as behind it."""
    return [
        click.Option(
            ["--config", "config_file"],
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Configuration file.  Default: $MAILSERVER_CONFIG, ./mailserver.yaml, "
            "/etc/mailserver/mailserver.yaml.",
        ),
        click.Option(["--json", "as_json"], is_flag=True, help="Answer in JSON."),
    ]


def called(ctx: click.Context) -> Caller:
    """The Caller by the options of *ctx*, which it loses, and of the groups above it."""
    above = ctx.parent.obj if ctx.parent is not None else None
    config, as_json = ctx.params.pop("config_file"), ctx.params.pop("as_json")
    if isinstance(above, Caller):
        return Caller(config or above.config_file, as_json or above.as_json)
    return Caller(config, as_json)


def limit_option(
    what: str, default: int, *, most: int = 100_000
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """--limit N, for commands that list things; *what* is its help."""
    return click.option(
        "--limit",
        type=click.IntRange(1, most),
        default=default,
        show_default=True,
        metavar="N",
        help=what,
    )


class Command(click.Command):
    """A command with --config and --json, whose help shows examples first.

    Its function takes a Caller before its own arguments (`@click.pass_obj`).  A MailError that leaves it is a refusal.
    """

    def __init__(self, *args: Any, examples: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples
        self.params += common_options()

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.  Raises Refused for a MailError."""
        ctx.obj = called(ctx)
        try:
            return super().invoke(ctx)
        except MailError as error:
            problems = getattr(error, "problems", None) or [error]
            reasons = [one_line(str(p)) for p in problems]
            raise Refused(reasons, ctx.obj.as_json) from error

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What it does, examples, then usage and options."""
        self.format_help_text(ctx, formatter)
        write_examples(formatter, self.examples)
        formatter.write("\n")
        self.format_usage(ctx, formatter)
        self.format_options(ctx, formatter)
        self.format_epilog(ctx, formatter)


class Group(click.Group):
    """Commands under one word (`user add`, `user list`), with examples first."""

    command_class = Command

    def __init__(self, *args: Any, examples: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples
        self.params += common_options()

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that is named."""
        ctx.obj = called(ctx)
        return super().invoke(ctx)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What it is about, examples, then the commands."""
        self.format_help_text(ctx, formatter)
        write_examples(formatter, self.examples)
        formatter.write("\n")
        self.format_usage(ctx, formatter)
        self.format_options(ctx, formatter)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order they were written."""
        return list(self.commands)


def write_examples(formatter: click.HelpFormatter, examples: str) -> None:
    """The lines of *examples*, indented as they are."""
    lines = examples.strip("\n").splitlines()
    if lines:
        with formatter.section("Examples"):
            for line in lines:
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")
