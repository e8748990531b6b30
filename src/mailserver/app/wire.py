"""Which protocol each listener of the configuration speaks."""

from mailserver.servers import imap
from mailserver.servers.listen import Service


def services(hostname: str) -> dict[str, Service]:
    """The services this version has, by the name of their key in `listeners`."""
    face = imap.Imap()
    return {
        "imap": Service("imap", face.serve, is_tls=False, turned_away=imap.TURNED_AWAY),
        "imaps": Service("imaps", face.serve, is_tls=True, turned_away=imap.TURNED_AWAY),
    }
