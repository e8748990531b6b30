"""Which protocol each listener of the configuration speaks."""

from mailserver.servers import imap, managesieve
from mailserver.servers.listen import Service
from mailserver.servers.smtp import Smtp, turned_away


def services(hostname: str) -> dict[str, Service]:
    """The services this version has, by the name of their key in `listeners`."""
    smtp, face = Smtp(), imap.Imap()
    no_room = turned_away(hostname)
    return {
        "smtp": Service("smtp", smtp.receive, is_tls=False, turned_away=no_room),
        "submission": Service("submission", smtp.submit, is_tls=False, turned_away=no_room),
        "submissions": Service("submissions", smtp.submit, is_tls=True, turned_away=no_room),
        "lmtp": Service("lmtp", smtp.deliver, is_tls=False, turned_away=no_room),
        "imap": Service("imap", face.serve, is_tls=False, turned_away=imap.TURNED_AWAY),
        "managesieve": Service(
            "managesieve",
            managesieve.ManageSieve().serve,
            is_tls=False,
            turned_away=managesieve.TURNED_AWAY,
        ),
        "imaps": Service("imaps", face.serve, is_tls=True, turned_away=imap.TURNED_AWAY),
    }
