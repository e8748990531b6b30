"""Many users at once: every line checked first, passwords hashed on all cores, then all are added or none."""

import csv
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

from mailserver.app.sizes import parse_size
from mailserver.base.errors import Cannot, MailError
from mailserver.directory import accounts, proofs
from mailserver.directory.addresses import parse
from mailserver.directory.passwords import check_policy, hash_password, is_known
from mailserver.smtp.address import Address
from mailserver.store.store import Store
from mailserver.store.tx import Read, Write
from mailserver.store.values import Domain, ScramRow

COLUMNS = ("address", "password", "name", "quota")
SHOWN = 20  #: mistakes that are listed; the rest is counted
SLICE = 100  #: users added in one turn of the writer, so that mail does not wait behind a long list
REPORT_S = 2.0  #: between two lines about the progress

#: what other servers put before a hash
_SCHEMES = ("{ARGON2ID}", "{ARGON2I}", "{ARGON2}", "{BLF-CRYPT}", "{CRYPT}")


class ImportRefused(MailError):
    """The file has mistakes; nothing was added."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(f"nothing added: {len(problems)} mistakes; {problems[0]}")
        rest = len(problems) - SHOWN
        more = [f"... and {rest} more"] if rest > 0 else []
        self.problems = [*problems[:SHOWN], *more, "nothing was added"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file."""

    line: int
    address: Address
    password: str
    name: str
    quota: int | None

    @property
    def is_hashed(self) -> bool:
        """The password is a hash already."""
        return self.password.startswith("$")


def import_users(
    store: Store,
    file: Path,
    report: Callable[[str], None],
    *,
    skip_existing: bool = False,
    makes_keys: bool = True,
) -> int:
    """The number of users added.  Raises ImportRefused with every mistake, and nothing is added then.

    skip_existing: users that exist already are left out instead of being a mistake.
    makes_keys:    plain passwords get their keys for SCRAM, too.
    """
    rows, problems = read_users(file)
    domains, taken = store.read_now(lambda tx: _present(tx, rows))
    if skip_existing:
        rows = [row for row in rows if row.address not in taken]
    for row in rows:
        if row.address.domain not in domains:
            problems[row.line] = f"no domain {row.address.domain} here"
        elif row.address in taken:
            problems[row.line] = f"{row.address} exists already"
        else:
            try:
                separators = domains[row.address.domain].separators
                accounts.check_localpart(row.address.localpart, separators)
            except Cannot as reason:
                problems[row.line] = str(reason)
    if problems:
        raise ImportRefused([f"{file}:{line}: {problems[line]}" for line in sorted(problems)])
    salts = store.read_now(lambda tx: _salts(tx, rows)) if makes_keys else None
    _add(store, rows, hashed(rows, report, salts))
    return len(rows)


def read_users(file: Path) -> tuple[list[Row], dict[int, str]]:
    """The good lines, and for each bad line its number and what is wrong."""
    rows: list[Row] = []
    problems: dict[int, str] = {}
    seen: dict[Address, int] = {}
    try:
        for line, fields in _lines(file):
            try:
                row = _row(line, fields)
            except (MailError, ValueError) as error:
                problems[line] = str(error)
                continue
            if row.address in seen:
                problems[line] = f"{row.address} is in line {seen[row.address]} already"
                continue
            seen[row.address] = line
            rows.append(row)
    except OSError as error:
        raise Cannot(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Cannot(f"{file}: is not UTF-8 at octet {error.start}") from error
    except csv.Error as error:
        raise Cannot(f"{file}: {error}") from error
    return rows, problems


def _lines(file: Path) -> Iterator[tuple[int, list[str]]]:
    """(line number, its fields) without the heading and empty lines."""
    with file.open(newline="", encoding="utf-8-sig") as text:
        reader = csv.reader(text, strict=True)
        begun = 1
        for fields in reader:
            line, begun = begun, reader.line_num + 1
            if not any(field.strip() for field in fields):
                continue
            if line == 1 and [field.strip().lower() for field in fields] == list(
                COLUMNS[: len(fields)]
            ):
                continue
            yield line, fields


def _row(line: int, fields: list[str]) -> Row:
    """Raises MailError or ValueError with the reason."""
    fields = _with_whole_hash(fields)
    if not 2 <= len(fields) <= len(COLUMNS):
        raise Cannot(f"expected {','.join(COLUMNS)}; found {len(fields)} fields")
    address, password, name, quota = (*fields, "", "")[:4]
    for scheme in _SCHEMES:
        password = password.removeprefix(scheme)
    if password.startswith("$"):
        if not is_known(password):
            raise Cannot("a hash of a kind this server does not know; argon2 and bcrypt it does")
    else:
        check_policy(password)
    accounts.check_name(name.strip())
    return Row(line, parse(address), password, name.strip(), parse_size(quota or "none"))


def _with_whole_hash(fields: list[str]) -> list[str]:
    """*fields* with an argon2 hash in one piece: it has commas, and exports seldom put it in quotes."""
    is_cut = len(fields) > 3 and fields[2].startswith("t=") and fields[3].startswith("p=")
    if is_cut and "$argon2" in fields[1]:
        return [fields[0], ",".join(fields[1:4]), *fields[4:]]
    return fields


def _present(tx: Read, rows: list[Row]) -> tuple[dict[str, Domain], set[Address]]:
    """Our domains, and the addresses in *rows* that somebody has."""
    domains = {domain.name: domain for domain in tx.domains.list()}
    taken = {
        row.address
        for row in rows
        if row.address.domain in domains
        and (
            tx.accounts.by_address(*row.address) is not None
            or tx.aliases.targets(*row.address) is not None
        )
    }
    return domains, taken


class Hashed(NamedTuple):
    """What is kept of a password; keys: for SCRAM, None where it came as a hash or they are not wanted."""

    password: str
    keys: ScramRow | None


def _salts(tx: Read, rows: list[Row]) -> list[ScramRow]:
    return [proofs.fresh_row(tx, str(row.address)) for row in rows]


def hashed(
    rows: list[Row], report: Callable[[str], None], salts: Sequence[ScramRow] | None = None
) -> list[Hashed]:
    """What is kept of all passwords, in order.  The libraries let go of the interpreter, so threads use all cores.

    salts: what the keys of each are made with; None: no keys.
    """
    begun = told = time.monotonic()
    count = sum(not row.is_hashed for row in rows)
    done = 0
    hashes: list[Hashed] = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for row, value in zip(rows, pool.map(_hash, rows, salts or repeat(None)), strict=True):
            hashes.append(value)
            done += not row.is_hashed
            now = time.monotonic()
            if now - told > REPORT_S and done:
                left = (now - begun) / done * (count - done)
                report(f"{done} of {count} passwords hashed, {left:.0f} s left")
                told = now
    return hashes


def _hash(row: Row, salt: ScramRow | None) -> Hashed:
    if row.is_hashed:
        return Hashed(row.password, None)
    keys = proofs.with_keys(salt, row.password) if salt is not None else None
    return Hashed(hash_password(row.password), keys)


def _add(store: Store, rows: list[Row], hashes: list[Hashed]) -> None:
    """Add all in slices; if one fails, those of this file are removed again and its error is raised."""
    added: list[Row] = []
    try:
        for start in range(0, len(rows), SLICE):
            part = rows[start : start + SLICE]

            def job(tx: Write, part: list[Row] = part, start: int = start) -> None:
                for row, kept in zip(part, hashes[start:], strict=False):
                    made = accounts.create(
                        tx, row.address, kept.password, name=row.name, quota=row.quota
                    )
                    if kept.keys is not None:
                        tx.scram.put(made.id, kept.keys)

            store.write_now(job)
            added += part
    except BaseException:
        for start in range(0, len(added), SLICE):
            gone = added[start : start + SLICE]
            store.write_now(lambda tx, gone=gone: _remove(tx, gone))  # type: ignore[misc]
        raise


def _remove(tx: Write, rows: list[Row]) -> None:
    for row in rows:
        account = tx.accounts.by_address(*row.address)
        if account is not None:
            tx.accounts.remove(account.id)
