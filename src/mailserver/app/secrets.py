"""Passwords that a command is given: on standard input, or typed twice at a terminal; never as an argument."""

import sys
from pathlib import Path
from typing import BinaryIO

import click


def read_secret(from_stdin: bool, *, twice: bool = True) -> str:
    """The first line of standard input, or what was asked for at a terminal.  Raises click's usage error.

    twice: ask again, as nobody else knows whether it was typed rightly.
    """
    if from_stdin:
        return _first_line(sys.stdin.buffer)
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=twice, err=True))
    raise click.UsageError("say --password-stdin and give the password on standard input")


def read_file_secret(file: Path) -> str:
    """The first line of *file*.  Raises click's usage error."""
    try:
        with file.open("rb") as opened:
            return _first_line(opened)
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror}") from error


def _first_line(stream: BinaryIO) -> str:
    try:
        return stream.readline().rstrip(b"\r\n").decode()
    except UnicodeDecodeError as error:
        raise click.UsageError("the password is not UTF-8") from error
