"""Logging in at a smarthost: AUTH with PLAIN or LOGIN.

Spec: RFC 4954 §4; RFC 4616 §2.  Status: complete for these two; others are a further row of the table.
"""

import base64
from collections.abc import Callable

from mailserver.smtp.client_capabilities import Capabilities
from mailserver.smtp.client_replies import Heard
from mailserver.smtp.client_steps import Steps, ask, nonsense
from mailserver.smtp.outgoing import Answer, HopError, Login, Stage
from mailserver.smtp.reply import Reply

NO_TLS = Reply(454, "4.7.0", "The next server offers no TLS, and a password is not shown in clear")
NO_MECHANISM = Reply(454, "4.7.0", "The next server offers no way to log in that is known here")


def authenticate(capabilities: Capabilities, login: Login, *, is_tls: bool) -> Steps[None]:
    """Logs in.  Raises HopError; a refusal counts as temporary, for it is our configuration that is to be mended."""
    if not is_tls and not login.in_clear:
        raise HopError(Answer(NO_TLS, Stage.AUTH, is_ours=True))
    for name, mechanism in MECHANISMS.items():
        if name in capabilities.mechanisms:
            heard = yield from mechanism(login)
            break
    else:
        raise HopError(Answer(NO_MECHANISM, Stage.AUTH, is_ours=True))
    if heard.code < 400 and not heard.is_positive:
        raise nonsense(heard, Stage.AUTH)
    if not heard.is_positive:
        said = heard.reply
        text = f"Log-in refused: {said}"[:1_000]
        raise HopError(Answer(Reply(454, "4.7.8", text), Stage.AUTH, is_ours=True))


def _plain(login: Login) -> Steps[Heard]:
    response = b"\0%b\0%b" % (login.name.encode(), login.password.encode())
    return (yield from ask(b"AUTH PLAIN %b\r\n" % base64.b64encode(response), Stage.AUTH))


def _login(login: Login) -> Steps[Heard]:
    """The server asks for the name, then for the password; what its prompts say does not matter."""
    heard = yield from ask(b"AUTH LOGIN\r\n", Stage.AUTH)
    for answer in (login.name, login.password):
        if heard.code != 334:
            break
        heard = yield from ask(base64.b64encode(answer.encode()) + b"\r\n", Stage.AUTH)
    return heard


#: the one that is liked best comes first
MECHANISMS: dict[str, Callable[[Login], Steps[Heard]]] = {"PLAIN": _plain, "LOGIN": _login}
