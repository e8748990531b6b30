"""Drives Evolution's mail library (Camel, of evolution-data-server) without a window, in Debian's own Python.

Run as `camel.py HOST PORT USER PASSWORD HOME`, with commands on standard input, a JSON list a line; each is answered
with a line of JSON.  The account's cache lies in HOME, so that a second run goes on where the first has ended.
"""

import json
import sys

import gi

gi.require_version("Camel", "1.2")
from gi.repository import Camel, GLib  # noqa: E402  the version is chosen before

HOST, PORT, USER, PASSWORD, HOME = sys.argv[1:6]
FLAGS = {
    "seen": Camel.MessageFlags.SEEN,
    "flagged": Camel.MessageFlags.FLAGGED,
    "deleted": Camel.MessageFlags.DELETED,
}


class Session(Camel.Session):
    """Knows one password."""

    __gtype_name__ = "DrivenSession"

    def do_authenticate_sync(self, service, mechanism, cancellable):
        service.set_password(PASSWORD)
        if (
            service.authenticate_sync(mechanism or None, cancellable)
            != Camel.AuthenticationResult.ACCEPTED
        ):
            raise GLib.Error("not accepted")
        return True


def main() -> None:
    Camel.init(HOME, False)
    Camel.provider_init()
    session = Session(user_data_dir=f"{HOME}/data", user_cache_dir=f"{HOME}/cache")
    session.set_online(True)
    store = session.add_service("box", "imapx", Camel.ProviderType.STORE)
    settings = store.ref_settings()
    for name, value in {
        "host": HOST, "port": int(PORT), "user": USER, "auth-mechanism": "PLAIN",
        "security-method": Camel.NetworkSecurityMethod.NONE, "use-qresync": True, "use-idle": False,
    }.items():  # fmt: skip
        settings.set_property(name, value)
    store.set_online_sync(True, None)
    store.connect_sync(None)
    store.get_folder_info_sync(None, Camel.StoreGetFolderInfoFlags.RECURSIVE, None)
    for line in sys.stdin:
        print(json.dumps(obey(store, *json.loads(line))), flush=True)
    store.disconnect_sync(True, None)


def obey(store, what, name, *words):
    folder = store.get_folder_sync(name, 0, None)
    if what == "look":  # UID -> [subject, flags]
        folder.refresh_info_sync(None)
        found = {}
        for uid in folder.get_uids():
            info = folder.get_message_info(uid)
            found[uid] = [
                info.get_subject(),
                sorted(n for n, flag in FLAGS.items() if info.get_flags() & flag),
            ]
        return found
    if what == "read":
        return folder.get_message_sync(words[0], None).get_subject()
    if what == "flag":
        uid, *flags = words
        mask = sum(int(FLAGS[flag]) for flag in flags)
        folder.set_message_flags(uid, Camel.MessageFlags(mask), Camel.MessageFlags(mask))
        return folder.synchronize_sync(False, None)
    if what == "append":
        message = Camel.MimeMessage()
        message.set_subject(words[0])
        message.set_content(b"Hello.\n", "text/plain")
        return folder.append_message_sync(message, Camel.MessageInfo.new(None), None)[1]
    if what in ("copy", "move"):
        target = store.get_folder_sync(words[1], 0, None)
        return folder.transfer_messages_to_sync([words[0]], target, what == "move", None)[0]
    if what == "expunge":
        return folder.expunge_sync(None)
    raise ValueError(what)


main()
