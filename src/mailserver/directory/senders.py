"""Whose address is it: what a user may write as a sender.

Spec: RFC 6409 §6.1; RFC 4954 §9.  Status: complete.
"""

from collections.abc import Sequence

from mailserver.base.errors import Cannot
from mailserver.base.ids import AccountId
from mailserver.directory.addresses import domain_name, normalise, parse
from mailserver.directory.resolve import receives
from mailserver.smtp.address import Address
from mailserver.store.tx import Read


def may_send_as(tx: Read, account: AccountId, address: Address, hostname: str) -> bool:
    """Whether *account* may write as *address*: it leads to him, or he was granted it.

    His own leads to him, one with +detail, an alias also among others, and with the catch-all every address of the
    domain that nobody has.
    """
    if receives(tx, account, address, hostname):
        return True
    return tx.grants.covers(account, str(normalise(address)), address.domain)


def grants(texts: Sequence[str]) -> list[str]:
    """What an operator wrote, in its one spelling: addresses, "@example.org" for a whole domain.  Raises Cannot."""
    found = []
    for text in texts:
        if text.startswith("@"):
            found.append(f"@{domain_name(text[1:])}")
        elif text:
            found.append(str(parse(text)))
        else:
            raise Cannot("send-as: expected an address, or @domain for all of it")
    return found
