"""The configuration: every key, its default and what it may be.

Spec: docs/guide/configuration.md.  Status: all keys; `app.advice` names those whose feature is still missing.
"""

import dataclasses
import ipaddress
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from mailserver.base.limits import Limits
from mailserver.mta.nexthop import hop
from mailserver.net.endpoint import Endpoint, parse_endpoint
from mailserver.net.public import PRIVATE
from mailserver.servers.upstream import Upstream
from mailserver.sieve.scores import Scores

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def is_hostname(text: str) -> bool:
    """*text* is a host name: letters, digits, hyphens, dots, at most 253 octets (RFC 1123 §2.1)."""
    return len(text) <= 253 and all(_LABEL.fullmatch(label) for label in text.split("."))


def machine_name() -> str:
    """What the system calls this machine, or "localhost" when that is no host name."""
    name = socket.gethostname().rstrip(".").lower()
    return name if is_hostname(name) else "localhost"


# -- kinds of values: text as people write it -> what the program uses; ValueError says what was expected


def _hostname(value: Any) -> Any:
    if isinstance(value, str):
        value = value.rstrip(".").lower()
        if not is_hostname(value):
            raise ValueError(f"{value!r} is not a host name, as mail.example.org is")
    return value


def _endpoint(value: Any) -> Any:
    if isinstance(value, str):
        return parse_endpoint(value)
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError(f'a bare number is no address; for port {value} write ":{value}"')
    if value is None or isinstance(value, Endpoint):
        return value
    raise ValueError("must be text: host:port, [v6]:port, :port or unix:PATH")


def _remote(value: Any) -> Any:
    """An endpoint to connect to: it names a host."""
    endpoint = _endpoint(value)
    if isinstance(endpoint, Endpoint) and not endpoint.is_unix and not endpoint.host:
        raise ValueError("a host must stand before the port, as in 127.0.0.1:783")
    return endpoint


def _inet(value: Any) -> Any:
    """An endpoint with a host and a port."""
    endpoint = _remote(value)
    if isinstance(endpoint, Endpoint) and endpoint.is_unix:
        raise ValueError("must be host:port or [v6]:port")
    return endpoint


def _resolver(value: Any) -> Any:
    """An endpoint that is reached without asking anybody for its address."""
    endpoint = _inet(value)
    if isinstance(endpoint, Endpoint):
        try:
            ipaddress.ip_address(endpoint.host)
        except ValueError:
            raise ValueError(f"{endpoint.host!r} is no IP address: who would look it up?") from None
    return endpoint


def _network(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("must be text: a network, as 10.0.0.0/8 or fd00::/8 are")
    try:
        return ipaddress.ip_network(value)
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise ValueError(f"{value!r} is not a network, as 10.0.0.0/8 or fd00::/8 are") from None
    raise ValueError(f"{value!r} has bits set behind its prefix; did you mean {meant}?")


def _source(value: Any) -> Any:
    try:
        source = ipaddress.ip_address(value) if isinstance(value, str) else None
    except ValueError:
        source = None
    if source is None or source.is_unspecified or source.is_multicast or "%" in value:
        raise ValueError(f"{value!r} is no IP address that mail can leave from")
    return str(source)


def _one_of_each_kind(value: tuple[str, ...]) -> tuple[str, ...]:
    if len({":" in one for one in value}) < len(value):
        raise ValueError("at most one IPv4 address and one IPv6 address")
    return value


def _workers(value: Any) -> Any:
    if value == "auto" or (isinstance(value, int) and not isinstance(value, bool)):
        if value == "auto" or 1 <= value <= 256:
            return value
    elif isinstance(value, str) and value.isascii() and value.isdigit() and 1 <= int(value) <= 256:
        return int(value)
    raise ValueError("must be a number from 1 to 256, or auto (one for each core)")


def _path(value: Any) -> Any:
    if isinstance(value, Path) or value is None:
        return value
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("must be a path")
    return Path(value)


def _mode(value: Any) -> Any:
    if value == "acme":
        raise ValueError(
            "acme is not part of this version; use files with a certificate from another ACME "
            "client, or self-signed"
        )
    return value


def _version(value: Any) -> Any:
    return str(value) if isinstance(value, float) else value


def _number(value: Any) -> Any:
    """From the environment numbers come as text."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _tristate(value: Any) -> Any:
    """YAML reads yes and no as booleans; from the environment they come as text."""
    if isinstance(value, str) and value.lower() in ("true", "yes", "false", "no"):
        return value.lower() in ("true", "yes")
    if value == "auto" or isinstance(value, bool):
        return value
    raise ValueError("must be auto, true or false")


AnyPath = Annotated[Path, BeforeValidator(_path)]
Hostname = Annotated[str, BeforeValidator(_hostname)]
ListenAt = Annotated[Endpoint, BeforeValidator(_endpoint)]
ConnectTo = Annotated[Endpoint, BeforeValidator(_remote)]
ConnectToPort = Annotated[Endpoint, BeforeValidator(_inet)]
ResolverAt = Annotated[Endpoint, BeforeValidator(_resolver)]
Networks = tuple[Annotated[Network, BeforeValidator(_network)], ...]
Sources = Annotated[
    tuple[Annotated[str, BeforeValidator(_source)], ...], AfterValidator(_one_of_each_kind)
]
Port = Annotated[int, Field(ge=1, le=65_535)]


class Section(BaseModel):
    """A part of the configuration: fixed keys, never changed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def _at(*texts: str) -> tuple[Endpoint, ...]:
    return tuple(parse_endpoint(text) for text in texts)


class Listeners(Section):
    """Where each protocol is offered; an empty list turns one off."""

    smtp: tuple[ListenAt, ...] = _at(":25")
    submission: tuple[ListenAt, ...] = _at(":587")
    submissions: tuple[ListenAt, ...] = _at(":465")
    lmtp: tuple[ListenAt, ...] = ()
    imap: tuple[ListenAt, ...] = _at(":143")
    imaps: tuple[ListenAt, ...] = _at(":993")
    managesieve: tuple[ListenAt, ...] = _at(":4190")
    http: tuple[ListenAt, ...] = _at(":80")
    https: tuple[ListenAt, ...] = _at(":443")


class Tls(Section):
    """The server's certificate and what TLS it speaks."""

    mode: Annotated[Literal["self-signed", "files", "acme"], BeforeValidator(_mode)] = "self-signed"
    certificate: AnyPath | None = None
    key: AnyPath | None = None
    client_ca: AnyPath | None = None
    min_version: Annotated[Literal["1.2", "1.3"], BeforeValidator(_version)] = "1.2"


class Auth(Section):
    """Log-in."""

    cleartext_from: Networks = (
        ipaddress.ip_network("127.0.0.0/8"),
        ipaddress.ip_network("::1/128"),
    )
    scram: Literal["auto", "on", "off"] = "auto"


class Submission(Section):
    """Mail from users."""

    hide_clients: bool = False


class Lmtp(Section):
    """Who may hand over mail at its queue's end."""

    networks: Networks = (
        ipaddress.ip_network("127.0.0.0/8"),
        ipaddress.ip_network("::1/128"),
    )


class ProxyProtocol(Section):
    """Proxies in front of the listeners, which say who their client is."""

    networks: Networks = ()


class Dns(Section):
    """Which resolvers are asked, and whether their word on DNSSEC counts."""

    servers: tuple[ResolverAt, ...] = ()
    trust_ad: Annotated[Literal["auto"] | bool, BeforeValidator(_tristate)] = "auto"


class Dkim(Section):
    """Keys that outgoing mail is signed with."""

    rsa_bits: Annotated[Literal[2_048, 4_096], BeforeValidator(_number)] = 2_048
    publish_hours: Annotated[float, Field(ge=0, le=8_760)] = 24.0
    overlap_days: Annotated[float, Field(ge=0, le=3_650)] = 7.0
    rotate_days: Annotated[float, Field(ge=0, le=3_650)] = 0.0


class Filtering(Section):
    """Spam and virus filters in front of this server, whose header fields scripts can ask (RFC 5235)."""

    spam_header: Annotated[str, Field(pattern=r"^[!-9;-~]{1,76}$")] | None = None
    spam_full: Annotated[float, Field(gt=0, le=1_000_000)] = 5.0
    virus_header: Annotated[str, Field(pattern=r"^[!-9;-~]{1,76}$")] | None = None
    trusted: Networks = ()


class Search(Section):
    """What a search looks into."""

    attachments: Literal["none", "fuzzy", "all"] = "fuzzy"


class Outbound(Section):
    """How mail leaves."""

    port: Port = 25
    smarthost: ConnectToPort | None = None
    dane: bool = True
    mta_sts: bool = True
    authorities: AnyPath | None = None
    source_addresses: Sources = ()
    mail_networks: Networks = tuple(map(ipaddress.ip_network, PRIVATE))
    web_networks: Networks = ()


class Clamav(Section):
    """The virus scanner."""

    socket: ConnectTo | None = None


class Spamassassin(Section):
    """The spam scanner."""

    address: ConnectTo | None = None


class LogOutput(Section):
    """Where log lines go, which, and how they look; file null: standard error."""

    level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)] = "INFO"
    format: Literal["json", "console"] = "json"
    file: AnyPath | None = None


class Config(Section):
    """Everything that must be known before the database opens."""

    data_dir: AnyPath = Path("data")
    hostname: Hostname = Field(default_factory=machine_name)
    workers: Annotated[int | Literal["auto"], BeforeValidator(_workers)] = 1
    user: str | None = None
    group: str | None = None
    listeners: Listeners = Listeners()
    tls: Tls = Tls()
    auth: Auth = Auth()
    submission: Submission = Submission()
    lmtp: Lmtp = Lmtp()
    proxy_protocol: ProxyProtocol = ProxyProtocol()
    dns: Dns = Dns()
    outbound: Outbound = Outbound()
    dkim: Dkim = Dkim()
    filtering: Filtering = Filtering()
    search: Search = Search()
    clamav: Clamav = Clamav()
    spamassassin: Spamassassin = Spamassassin()
    log: LogOutput = LogOutput()
    limits: Limits = Limits()


def _not_a_network(text: str) -> ValueError | None:
    try:
        _network(text)
    except ValueError as error:
        return error
    return None


def smarthost(config: Config) -> str:
    """The next hop of all mail that leaves and has no better one, as the queue names it; "": there is none."""
    return hop(f"smtp:{config.outbound.smarthost}") if config.outbound.smarthost else ""


def sieve_url(config: Config) -> str:
    """Where ManageSieve is, for IMAP clients (RFC 5804 §3); "" where it is nowhere."""
    ports = [at.port for at in config.listeners.managesieve if at.port]
    if not ports:
        return ""
    return f"sieve://{config.hostname}" + ("" if 4190 in ports else f":{ports[0]}")


def upstream(config: Config) -> Upstream:
    """The filters in front of this server."""
    said = config.filtering
    scores = Scores(said.spam_header or "", said.spam_full, said.virus_header or "")
    return Upstream(scores, said.trusted)


Key = tuple[str, ...]  #: ("tls", "mode")


def leaves(section: Any, prefix: Key = ()) -> dict[Key, Any]:
    """Every key of *section* and its value, in the order of the reference: ("tls", "mode") -> "files"."""
    found: dict[Key, Any] = {}
    names = (
        [field.name for field in dataclasses.fields(section)]
        if dataclasses.is_dataclass(section)
        else list(type(section).model_fields)
    )
    for name in names:
        value, key = getattr(section, name), (*prefix, name)
        if isinstance(value, BaseModel) or (
            dataclasses.is_dataclass(value) and not isinstance(value, Endpoint)
        ):
            found |= leaves(value, key)
        else:
            found[key] = value
    return found


def contradictions(config: Config) -> Iterator[tuple[Key, str]]:
    """Keys whose values are each allowed but cannot be meant, with the reason."""
    tls = config.tls
    for name in ("certificate", "key"):
        if tls.mode == "files" and getattr(tls, name) is None:
            yield ("tls", name), "must be set when tls.mode is files"
        if tls.mode == "self-signed" and getattr(tls, name) is not None:
            yield ("tls", name), "is not used when tls.mode is self-signed; set tls.mode: files"
    if config.group is not None and config.user is None:
        yield ("group",), "needs user as well"
    for key, value in leaves(config.limits, ("limits",)).items():
        if isinstance(value, bool):
            continue
        if isinstance(value, tuple):
            yield from ((key, str(error)) for item in value if (error := _not_a_network(item)))
            continue
        if value < 0:
            yield key, "must not be negative"
        elif value == 0 and not (key[-1].endswith("_delay_s") or key[:2] == ("limits", "rates")):
            yield key, "must be more than 0"
    if any(endpoint.port == 25 for endpoint in config.listeners.lmtp):
        yield ("listeners", "lmtp"), "LMTP may not be offered on port 25 (RFC 2033 §1)"
    seen: dict[str, str] = {}
    for (_, name), endpoints in leaves(config.listeners, ("listeners",)).items():
        for endpoint in endpoints:
            if str(endpoint) in seen:
                yield ("listeners", name), f"{endpoint} is taken by {seen[str(endpoint)]} already"
            seen[str(endpoint)] = f"listeners.{name}"
