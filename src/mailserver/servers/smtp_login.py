"""Log-in over SMTP: what the mechanism says next, who has come in, or the reply to whoever has not.

Spec: RFC 4954 §4, §6.  Status: complete.
"""

import asyncio

from mailserver.base.errors import AuthFailed, LimitReached, MailError
from mailserver.base.log import Log
from mailserver.sasl.mechanism import Challenge, Said, Wanted
from mailserver.servers.entry import Entry
from mailserver.smtp.events import Auth
from mailserver.smtp.reply import Reply
from mailserver.store.values import Account

WRONG_PASSWORD = Reply(535, "5.7.8", "Log-in name or password is wrong")
LOGIN_LATER = Reply(454, "4.7.0", "Log-in is not possible at the moment, try again later")


async def log_in(
    entry: Entry, event: Auth, log: Log, delay_s: float
) -> Account | Challenge | Reply:
    """delay_s: how long a wrong password waits for its answer."""
    said: Said = event.said
    login = _printable(event.said.login)
    try:
        if isinstance(said, Wanted):
            said = said.answer(await entry.look_up(said))
        if isinstance(said, Challenge):
            return said
        return await entry.check(said)
    except LimitReached as error:
        log.warning("log-in refused", login=login, cause=str(error))
        await asyncio.sleep(delay_s)
        return Reply(454, "4.7.0", str(error))
    except AuthFailed as error:
        log.warning("log-in failed", login=login, cause=str(error))
        await asyncio.sleep(delay_s)
        return WRONG_PASSWORD
    except MailError as error:
        log.warning("log-in not possible", cause=str(error))
        return LOGIN_LATER


def _printable(text: str) -> str:
    """A claimed log-in name for the log; whatever is no address may be a password in the wrong field."""
    return text if len(text) <= 320 and text.isprintable() and "@" in text else ""
