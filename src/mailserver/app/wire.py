"""Which protocol each listener of the configuration speaks."""

from mailserver.servers.listen import Service


def services(hostname: str) -> dict[str, Service]:
    """The services this version has, by the name of their key in `listeners`."""
    return {}
