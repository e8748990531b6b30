"""Refusals in IMAP's words (RFC 5530)."""

import inspect
from collections.abc import Callable

import pytest

from mailserver.base import errors as base
from mailserver.imap import errors
from mailserver.imap.session import Gone


@pytest.mark.rfc(5530, "3")
def test_table(golden: Callable[[str, str], None]) -> None:
    kinds = [
        kind
        for _, kind in inspect.getmembers(base, inspect.isclass)
        if issubclass(kind, base.MailError) and kind is not base.MailError
    ]
    golden("imap_codes.txt", "".join(f"{k.__name__:<15}{errors.code(k('x'))}\n" for k in kinds))


def test_the_most_derived_class_wins() -> None:
    assert errors.code(base.NoTarget("x")) == "TRYCREATE"
    assert errors.code(Gone("x")) == "NONEXISTENT"
    assert errors.code(errors.Code("USEATTR", "x")) == "USEATTR"
    assert errors.code(base.MailError("x")) == ""
