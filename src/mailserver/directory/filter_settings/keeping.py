"""The settings of an account's filters, kept as its script without a name.

Spec: RFC 5228 §2.10.  Status: complete.
"""

from collections.abc import Callable

from mailserver.base.limits import SieveLimits
from mailserver.directory.filter_settings.as_sieve import write
from mailserver.directory.filter_settings.model import Settings, check
from mailserver.directory.filter_settings.reading import read
from mailserver.directory.scripts import loader
from mailserver.sieve.compiler import compile_script
from mailserver.store.scripts import Owner
from mailserver.store.tx import Read, Write
from mailserver.store.values import Account


def script(tx: Read, account: Account) -> bytes | None:
    """The script as it stands; None where nothing was ever set."""
    found = tx.scripts.settings(account.id)
    return None if found is None else tx.scripts.content(found.id)


def load(tx: Read, account: Account) -> Settings:
    """What is set.  Raises EditedByHand."""
    text = script(tx, account)
    return Settings() if text is None else read(text)


def change(
    tx: Write, account: Account, edit: Callable[[Settings], Settings], limits: SieveLimits
) -> Settings:
    """What *edit* makes of the settings is set from now on; what was set before is kept as a version.

    Raises EditedByHand, Cannot, OverQuota; and what *edit* raises.
    """
    settings = edit(load(tx, account))
    check(settings, account.address, limits)
    put(tx, account, write(settings).encode(), limits)
    return settings


def put(tx: Write, account: Account, text: bytes, limits: SieveLimits) -> None:
    """The script is *text*, whoever wrote it.  Raises ScriptError, OverQuota."""
    compile_script(text, limits, load=loader(tx, Owner(account=account.id)))
    tx.scripts.put_settings(account.id, text)


def reset(tx: Write, account: Account, limits: SieveLimits) -> None:
    """Nothing is set from now on; what was there is kept as a version."""
    if tx.scripts.settings(account.id) is not None:
        put(tx, account, write(Settings()).encode(), limits)
