"""Sweeping: files that a crash left behind, which no row knows and nobody writes any more."""

from collections.abc import Callable, Iterator
from pathlib import Path

from mailserver.base.log import Log


def sweep(
    blobs: Path,
    spool: Path,
    *,
    before: float,
    is_known: Callable[[bytes, str], bool],
    is_over: Callable[[], bool],
) -> int:
    """The number of files removed: those last changed before *before* (epoch seconds) that are not *is_known*.

    is_known: whether a blob with this hash has this path; asked for files that are named as blobs only.
    is_over:  asked between two files: whether to leave the rest for another time.
    A file younger than *before* may be a delivery under way.
    """
    removed = 0
    for file in _old_files(spool, before):
        if is_over():
            return removed
        removed += _remove(file)
    for file in _old_files(blobs, before):
        if is_over():
            break
        path = str(file.relative_to(blobs))
        try:
            sha256 = bytes.fromhex(file.name.split(".")[0])
        except ValueError:
            sha256 = b""
        if not (sha256 and is_known(sha256, path)):
            removed += _remove(file)
    return removed


def _old_files(folder: Path, before: float) -> Iterator[Path]:
    for file in folder.rglob("*"):
        try:
            if file.is_file() and file.stat().st_mtime < before:
                yield file
        except FileNotFoundError:
            continue


def _remove(file: Path) -> int:
    try:
        file.unlink()
    except OSError as error:
        Log("store").warning("file stays", path=str(file), reason=str(error))
        return 0
    return 1
