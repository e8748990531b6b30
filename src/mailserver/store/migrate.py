"""The schema's history: numbered SQL files, applied in order, each database knowing how far it is."""

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import apsw

from mailserver.base.errors import Cannot
from mailserver.base.log import Log
from mailserver.store.database import APPLICATION_ID, Database, prepare_new


@dataclass(frozen=True, slots=True)
class Step:
    """One migration: takes a database from schema `number - 1` to `number`."""

    number: int
    name: str
    sql: str


def steps() -> list[Step]:
    """The files of store/schema in order; they are numbered from 1 without a gap."""
    found = []
    for file in resources.files("mailserver.store").joinpath("schema").iterdir():
        if match := re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name):
            found.append(Step(int(match[1]), match[2], file.read_text(encoding="utf-8")))
    found.sort(key=lambda step: step.number)
    if [step.number for step in found] != list(range(1, len(found) + 1)):
        raise RuntimeError(f"schema files are not numbered from 1: {[s.number for s in found]}")
    return found


def migrate(db: Database, path: Path, history: list[Step]) -> None:
    """Brings the database to the end of *history*; the caller holds the write turn.

    A database that has content is first copied to `NAME.before-NNNN` beside it.  All steps are one transaction.
    Raises Cannot for a database of a newer program, or of another one.
    """
    latest = history[-1].number
    version = _number(db, "PRAGMA user_version")
    if version > latest:
        raise Cannot(
            f"{path} has schema {version}, this program knows schemas up to {latest}: it was written by a newer"
            " version. Start that version, or restore the backup it made before its upgrade"
            f" ({path.name}.before-NNNN)."
        )
    if version == 0 and _number(db, "SELECT count(*) FROM sqlite_schema") > 0:
        raise Cannot(f"{path} is a database of another program.")
    if version and _number(db, "PRAGMA application_id") != APPLICATION_ID:
        raise Cannot(f"{path} is a database of another program.")
    prepare_new(db)
    if version == latest:
        return
    if version:
        _back_up(db, path.with_name(f"{path.name}.before-{latest:04}"))
    db.run("BEGIN IMMEDIATE")
    try:
        for step in history[version:]:
            db.run(step.sql)
            db.run(f"PRAGMA user_version = {step.number}")
        db.run(f"PRAGMA application_id = {APPLICATION_ID}")
        if version and (broken := db.rows("PRAGMA foreign_key_check")):
            raise RuntimeError(f"migration left broken references: {broken[:5]}")
        db.run("COMMIT")
    except BaseException:
        if db.connection.in_transaction:
            db.run("ROLLBACK")
        raise
    if version:
        Log("store").info("schema upgraded", path=str(path), was=version, now=latest)


def _back_up(db: Database, to: Path) -> None:
    unfinished = to.with_name(to.name + ".part")
    unfinished.unlink(missing_ok=True)
    copy = apsw.Connection(str(unfinished))
    try:
        with copy.backup("main", db.connection, "main") as backup:
            backup.step(-1)
    finally:
        copy.close()
    unfinished.replace(to)


def _number(db: Database, sql: str) -> int:
    ((number,),) = db.rows(sql)
    return int(number)
