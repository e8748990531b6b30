"""Passwords that a command is given: on standard input, or typed twice at a terminal; never as an argument."""

import sys

import click


def read_secret(from_stdin: bool) -> str:
    """The first line of standard input, or what was asked for at a terminal.  Raises click's usage error."""
    if from_stdin:
        line = sys.stdin.buffer.readline().rstrip(b"\r\n")
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            raise click.UsageError("the password is not UTF-8") from error
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    raise click.UsageError("say --password-stdin and give the password on standard input")
