"""enotify: notify, the tests valid_notify_method and notify_method_capability, and `set :encodeurl`.

Spec: RFC 5435; RFC 5436; RFC 8580 §6.  Status: complete, with mailto as the one method.
"""

import re
from urllib.parse import quote

from mailserver.sieve.actions import Notify
from mailserver.sieve.addresses import one_mailbox
from mailserver.sieve.arguments import Args
from mailserver.sieve.errors import RunError
from mailserver.sieve.extensions.fcc import carbon_copy
from mailserver.sieve.extensions.variables import modifier
from mailserver.sieve.mailto import BadMailto, Mailto, parse_mailto
from mailserver.sieve.matching import matcher
from mailserver.sieve.registry import STRING, STRINGS, Check, Step, command, tag, test
from mailserver.sieve.run import Run
from mailserver.sieve.strings import Text, value_of

_IMPORTANCES = ("1", "2", "3")  #: high, normal, low (RFC 5435 §3.4)
_OPTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*=[^\r\n\0]*")
#: what is known of every mailto method (RFC 5436 §2.2; RFC 8580 §6.1)
_CAPABILITIES = {"online": "maybe", "fcc": "yes"}

for _name, _value in (
    ("from", STRING),
    ("importance", STRING),
    ("options", STRINGS),
    ("message", STRING),
):
    tag(_name, _value, of=("notify",), capability="enotify")


@command("notify", STRING, takes=("fcc",), capability="enotify")
def notify(args: Args) -> Step:
    """Somebody is told that this message came (RFC 5435 §3); nobody twice in one run (RFC 5436 §2.7)."""
    method, line = args.text(0), args.line
    _check_method(args, method)
    sender, message = args.tag_text("from"), args.tag_text("message")
    importance, carbon = _importance(args), carbon_copy(args)
    if isinstance(sender, str) and one_mailbox(sender) is None:
        raise args.error(f':from "{sender[:100]}" is no address')
    _check_options(args)

    def run_notify(run: Run) -> None:
        uri = value_of(method, run)
        run.spend(10 + len(uri) // 100, line)
        try:
            mail = parse_mailto(uri)
        except BadMailto as error:
            raise RunError(f'there is no way to notify by "{uri[:100]}": {error}', line) from None
        told = {a.lower() for known in run.actions if isinstance(known, Notify) for a in known.told}
        to, cc = ([a for a in group if a.lower() not in told] for group in (mail.to, mail.cc))
        if not to and not cc:
            return
        if len(to) + len(cc) > run.limits.notify_recipients:
            most = run.limits.notify_recipients
            raise RunError(f"a notification may go to {most} addresses", line)
        weight = "2" if importance is None else value_of(importance, run)
        if weight not in _IMPORTANCES:
            raise RunError(f':importance must be "1", "2" or "3", not "{weight[:100]}"', line)
        by = "" if sender is None else value_of(sender, run)
        run.do(
            Notify(
                mail=mail._replace(to=tuple(to), cc=tuple(cc)),
                message=None if message is None else value_of(message, run),
                sender=by if one_mailbox(by) is not None else "",
                importance=int(weight),
                carbon=carbon(run),
                line=line,
            )
        )

    return run_notify


@test("valid_notify_method", STRINGS, capability="enotify")
def valid_notify_method(args: Args) -> Check:
    """All of these could be the method of `notify` (RFC 5435 §4)."""
    methods = args.texts(0)

    def check(run: Run) -> bool:
        wanted = methods.get(run)
        run.spend(10 * len(wanted))
        return all(_mailto(run, uri) is not None for uri in wanted)

    return check


@test(
    "notify_method_capability",
    STRING,
    STRING,
    STRINGS,
    takes=("match", "comparator"),
    capability="enotify",
)
def notify_method_capability(args: Args) -> Check:
    """What is known of the method under this name matches; false where nothing is known (RFC 5435 §5)."""
    method, name, match = args.text(0), args.text(1), matcher(args, args.texts(2))

    def check(run: Run) -> bool:
        run.spend(10)
        if _mailto(run, value_of(method, run)) is None:
            return False
        value = _CAPABILITIES.get(value_of(name, run).lower())
        return value is not None and match(run, (value,))

    return check


@modifier("encodeurl", precedence=15, capability="enotify")
def encodeurl(value: str) -> str:
    """*value* with all octets as %XX that are not unreserved in URIs (RFC 5435 §6)."""
    return quote(value, safe="", errors="replace")


def _mailto(run: Run, uri: str) -> Mailto | None:
    try:
        mail = parse_mailto(uri)
    except BadMailto:
        return None
    return mail if len(mail.to) + len(mail.cc) <= run.limits.notify_recipients else None


def _check_method(args: Args, method: Text) -> None:
    """Raises ScriptError for a broken mailto; of another scheme it warns: a test may stand before (RFC 5435 §3.2)."""
    if not isinstance(method, str):
        return
    if not method.lower().startswith("mailto:"):
        shown = f'"{method[:100]}" is no way to notify here, only mailto: is'
        args.compiler.warn(args.place(0), shown)
        return
    try:
        parse_mailto(method)
    except BadMailto as error:
        raise args.error(f'"{method[:100]}" cannot be used: {error}', args.place(0)) from None


def _importance(args: Args) -> Text | None:
    text = args.tag_text("importance")
    if isinstance(text, str) and text not in _IMPORTANCES:
        raise args.error(f':importance must be "1", "2" or "3", not "{text[:100]}"')
    return text


def _check_options(args: Args) -> None:
    """Of options only the form is looked at: mailto has none (RFC 5435 §3.5; RFC 5436 §2.5)."""
    options = args.tag_texts("options")
    for option in (options.constant if options else None) or ():
        if not _OPTION.fullmatch(option):
            raise args.error(f':options must be like "name=value", not "{option[:100]}"')
