"""Keys that outgoing mail is signed with, as the configuration wants them."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mailserver.app.answers import moment
from mailserver.app.config import Config
from mailserver.base.errors import Cannot
from mailserver.directory import dkim_keys
from mailserver.directory.dkim_life import Life
from mailserver.directory.seal import load_or_make
from mailserver.store.dkim_keys import PENDING, DkimKey, NewDkimKey


def life(config: Config) -> Life:
    """How long each part of a key's life takes."""
    dkim = config.dkim
    return Life(
        dkim.rsa_bits,
        dkim.publish_hours * 3_600.0,
        dkim.overlap_days * 86_400.0,
        dkim.rotate_days * 86_400.0,
    )


def first_keys(config: Config, domain: str) -> list[NewDkimKey]:
    """The keys of a new domain; to be called once the data folder is there.  Raises Cannot, Corrupt, OSError."""
    seal = load_or_make(config.data_dir)
    return dkim_keys.fresh(
        domain, dkim_keys.ALGORITHMS, seal, now=time.time(), rsa_bits=config.dkim.rsa_bits
    )


def read_key(file: Path) -> dkim_keys.Pair:
    """The private key in *file*.  Raises Cannot."""
    try:
        with file.open("rb") as opened:
            data = opened.read(dkim_keys.PEM_SIZE + 1)
    except OSError as error:
        raise Cannot(f"{file}: {error.strerror}") from error
    if len(data) > dkim_keys.PEM_SIZE:
        raise Cannot(f"{file} is no key: it has more than {dkim_keys.PEM_SIZE} octets")
    return dkim_keys.read_pem(data)


def key_row(key: DkimKey) -> dict[str, Any]:
    """What --json says of a key."""
    return {
        "domain": key.domain,
        "selector": key.selector,
        "algorithm": key.algorithm,
        "bits": key.bits,
        "state": key.state,
        "created_at": moment(key.created_at),
        "seen_at": moment(key.seen_at),
        "active_at": moment(key.active_at),
        "retiring_at": moment(key.retiring_at),
        "retired_at": moment(key.retired_at),
        "name": key.name,
        "record": dkim_keys.record(key),
    }


def instructions(keys: Sequence[DkimKey], life: Life) -> Iterator[str]:
    """What somebody has to do now with new keys."""
    for key in keys:
        yield f"{key.name} is {key.state}; it needs this TXT record:"
        yield f"  {dkim_keys.record(key)}"
    if any(key.state == PENDING for key in keys):
        yield (
            f"A key that is pending signs once the DNS has shown its record for {show_span(life.publish_s)};"
            " leave the old records where they are until `dkim list` says that their keys are retired."
        )


def show_span(seconds: float) -> str:
    """ "2 days", "24 hours", "90 s"."""
    for length, name in ((86_400, "days"), (3_600, "hours")):
        if seconds >= 2 * length and seconds % length == 0:
            return f"{seconds / length:g} {name}"
    return "24 hours" if seconds == 86_400 else f"{seconds:g} s"
