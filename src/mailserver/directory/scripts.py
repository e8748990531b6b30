"""Sieve scripts as people name them: whose they are, and that what is kept compiles.

Spec: RFC 5804 §2.6; RFC 6609 §3.1.  Status: complete.
"""

from mailserver.base.errors import NotFound
from mailserver.base.limits import SieveLimits
from mailserver.directory import accounts
from mailserver.directory.addresses import domain_name, parse
from mailserver.sieve.compiler import Loader, compile_script
from mailserver.store.scripts import Owner, Script
from mailserver.store.tx import Read, Write

SERVER = "server"  #: whose scripts all users can include


def owner_of(tx: Read, whose: str) -> Owner:
    """Whose scripts *whose* means: an address, a domain, or "server".  Raises NotFound, Cannot."""
    if whose == SERVER:
        return Owner()
    if "@" in whose:
        return Owner(account=accounts.at(tx, parse(whose)).id)
    return Owner(domain=tx.domains.by_name(domain_name(whose)).id)


def loader(tx: Read, owner: Owner) -> Loader:
    """Gives the scripts that those of *owner* may include: `:personal` are its own, `:global` the server's."""

    def load(location: str, name: str) -> bytes | None:
        try:
            found = tx.scripts.find(owner if location == "personal" else Owner(), name)
            return tx.scripts.content(found.id)
        except NotFound:
            return None

    return load


def put(
    tx: Write, owner: Owner, name: str, content: bytes, limits: SieveLimits
) -> tuple[Script, tuple[str, ...]]:
    """The script with its new text, and what there is to warn of.

    Raises ScriptError for one that does not compile, Cannot, LimitReached, OverQuota.
    """
    tx.scripts.check_room(owner, name, len(content))
    program = compile_script(content, limits, load=loader(tx, owner))
    return tx.scripts.put(owner, name, content), program.warnings
