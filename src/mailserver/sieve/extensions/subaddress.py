"""subaddress: `:user` and `:detail`.

Spec: RFC 5233.  Status: complete.
"""

from mailserver.sieve.header import Mailbox
from mailserver.sieve.parts_of_addresses import address_part
from mailserver.sieve.run import Run


@address_part("user", capability="subaddress")
def user(run: Run, mailbox: Mailbox) -> str:
    """The localpart up to the first separator, or all of it (RFC 5233 §4)."""
    at = _separator(run, mailbox)
    return mailbox.localpart if at < 0 else mailbox.localpart[:at]


@address_part("detail", capability="subaddress")
def detail(run: Run, mailbox: Mailbox) -> str | None:
    """What stands behind the separator; None where there is none, which is not the same as "" (RFC 5233 §4)."""
    at = _separator(run, mailbox)
    return None if at < 0 else mailbox.localpart[at + 1 :]


def _separator(run: Run, mailbox: Mailbox) -> int:
    found = [at for char in run.environment.separators if (at := mailbox.localpart.find(char)) > 0]
    return min(found, default=-1)
