"""Whose address is it: what a user may write as a sender.

Spec: RFC 6409 §6.1; RFC 4954 §9.  Status: complete.
"""

from mailserver.base.ids import AccountId
from mailserver.directory.resolve import receives
from mailserver.smtp.address import Address
from mailserver.store.tx import Read


def may_send_as(tx: Read, account: AccountId, address: Address, hostname: str) -> bool:
    """Whether mail to *address* reaches *account*: his own, one with +detail, an alias that leads to him, also among
    others, and with the catch-all every address of the domain that nobody has.
    """
    return receives(tx, account, address, hostname)
