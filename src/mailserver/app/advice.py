"""What a valid configuration asks for that cannot be had: here and now, in this version, or without regret."""

from collections.abc import Iterator
from typing import Any

from mailserver.app.config import Config, Key
from mailserver.app.load import DEFAULT, Loaded
from mailserver.app.privileges import known_ids
from mailserver.app.sources import Problem
from mailserver.base.errors import NotFound
from mailserver.net.sources import Sources

#: sections and listeners whose features are not part of this version
MISSING_LISTENERS = ("http", "https")
MISSING: dict[Key, str] = {
    ("clamav", "socket"): "mail is not scanned for viruses yet; the scanner is not used",
    ("spamassassin", "address"): "mail is not scanned for spam yet; the scanner is not used",
}

#: bounds below which ordinary clients are turned away, and servers given up, with the clause that says so
SENSIBLE: dict[Key, tuple[float, str]] = {
    ("limits", "smtp", "recipients"): (100, "RFC 5321 §4.5.3.1.8"),
    ("limits", "smtp", "line_size"): (512, "RFC 5321 §4.5.3.1.4"),
    ("limits", "smtp", "idle_timeout_s"): (300, "RFC 5321 §4.5.3.2.7"),
    ("limits", "smtp", "message_size"): (65_536, "RFC 5321 §4.5.3.1.7"),
    ("limits", "outbound", "greeting_s"): (300, "RFC 5321 §4.5.3.2.1"),
    ("limits", "outbound", "command_s"): (300, "RFC 5321 §4.5.3.2.2"),
    ("limits", "outbound", "data_s"): (120, "RFC 5321 §4.5.3.2.4"),
    ("limits", "outbound", "block_s"): (180, "RFC 5321 §4.5.3.2.5"),
    ("limits", "outbound", "end_s"): (600, "RFC 5321 §4.5.3.2.6"),
    ("limits", "imap", "idle_timeout_s"): (1_800, "RFC 9051 §5.4"),
}


def advice(loaded: Loaded) -> Iterator[Problem]:
    """Warnings, each with its key and place; nothing here stops the server."""
    config = loaded.config
    yield from loaded.warnings
    for name in MISSING_LISTENERS:
        key: Key = ("listeners", name)
        endpoints = getattr(config.listeners, name)
        if endpoints and loaded.place(key) != DEFAULT:
            where = ", ".join(str(endpoint) for endpoint in endpoints)
            yield _problem(
                loaded, key, f"{name} is not part of this version; nothing listens on {where}"
            )
    for key, text in MISSING.items():
        if loaded.place(key) != DEFAULT and _value(config, key) not in (None, ()):
            yield _problem(loaded, key, text)
    for key, (least, clause) in SENSIBLE.items():
        if _value(config, key) < least:
            yield _problem(loaded, key, f"is below {least:g}, which others may rely on ({clause})")
    for reason in Sources(config.outbound.source_addresses).absent():
        text = f"no mail leaves from {reason}"
        yield _problem(loaded, ("outbound", "source_addresses"), text)
    if "." not in config.hostname:
        text = (
            f"{config.hostname!r} has no dot; other servers want a full name, as mail.example.org"
        )
        yield _problem(loaded, ("hostname",), text)


def obstacles(loaded: Loaded) -> Iterator[Problem]:
    """What would keep the server from starting, as far as it can be seen from here."""
    config = loaded.config
    if config.tls.certificate is not None and config.tls.key is not None:
        from mailserver.net.tls import Files, TlsError, server_context

        try:
            server_context(Files(config.tls.certificate, config.tls.key), config.tls.min_version)
        except TlsError as error:
            yield _problem(loaded, ("tls", "certificate"), str(error))
    if config.outbound.authorities is not None:
        from mailserver.net.smtp_tls import ClientTls
        from mailserver.smtp.outgoing import Tls

        try:
            ClientTls(config.outbound.authorities).context(Tls.VERIFY)
        except OSError as error:  # ssl.SSLError is one, too
            reason = error.strerror or "no certificate in PEM form"
            text = f"{config.outbound.authorities}: cannot be used: {reason}"
            yield _problem(loaded, ("outbound", "authorities"), text)
    if config.log.file is not None and not config.log.file.parent.is_dir():
        yield _problem(loaded, ("log", "file"), f"there is no folder {config.log.file.parent}")
    try:
        known_ids(config.user, config.group)
    except NotFound as error:
        yield _problem(loaded, ("user",), str(error))
    if config.data_dir.exists() and not config.data_dir.is_dir():
        yield _problem(loaded, ("data_dir",), f"{config.data_dir} is no folder")


def _problem(loaded: Loaded, key: Key, text: str) -> Problem:
    place = loaded.place(key)
    return Problem("" if place == DEFAULT else place, ".".join(key), text)


def _value(config: Config, key: Key) -> Any:
    value: Any = config
    for name in key:
        value = getattr(value, name)
    return value
