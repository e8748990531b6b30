import hashlib
import os
from pathlib import Path

import pytest

from mailserver.base.errors import Corrupt, Expunged, NotFound, TryLater
from mailserver.base.ids import BlobId
from mailserver.store import flags as bits
from mailserver.store.spool import Body, Spool, body_of
from mailserver.store.store import Store
from store.world import NOW, World, derived

LARGE = bytes(range(256)) * 8


def files(world: World) -> list[Path]:
    return sorted(p for p in world.store.blob_folder.rglob("*") if p.is_file())


def read(world: World, blob: BlobId, *where: int) -> bytes:
    return world.store.read_now(lambda tx: tx.blobs.read(blob, *where))


def put(world: World, raw: bytes, threshold: int) -> BlobId:
    """A blob that a message of alice holds on to."""
    prepared = world.store.prepare(body_of(raw), threshold)

    def job(tx):
        blob = tx.blobs.put(prepared)
        tx.messages.add(world.alice.id, world.inbox, blob, derived(), internal_at=NOW)
        return blob

    return world.store.write_now(job)


@pytest.mark.parametrize(("threshold", "count"), [(10_000, 0), (len(LARGE), 0), (100, 1), (0, 1)])
def test_the_threshold_parts_rows_from_files(world: World, threshold: int, count: int) -> None:
    blob = put(world, LARGE, threshold)
    assert len(files(world)) == count
    assert read(world, blob) == LARGE
    assert read(world, blob, 3, 5) == LARGE[3:8]
    assert read(world, blob, len(LARGE) - 2, 50) == LARGE[-2:]
    assert read(world, blob, len(LARGE) + 5, 5) == b""
    assert read(world, blob, 7) == LARGE[7:]
    assert read(world, blob, 0, 4) == LARGE[:4]
    assert world.store.read_now(lambda tx: tx.blobs.size(blob)) == len(LARGE)


def test_a_file_is_named_for_its_hash_and_has_a_name_of_its_own(world: World) -> None:
    put(world, LARGE, 0)
    (file,) = files(world)
    sha256 = body_of(LARGE).sha256.hex()
    relative = file.relative_to(world.store.blob_folder)
    assert relative.parts[:-1] == (sha256[:2],)
    name, nonce = file.name.split(".")
    assert name == sha256
    assert len(nonce) == 16


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 10_000), (10_000, 0), (10_000, 10_000)])
def test_the_same_bytes_are_stored_once(world: World, first: int, second: int) -> None:
    blob = put(world, LARGE, first)
    assert put(world, LARGE, second) == blob
    assert len(files(world)) == (0 if first else 1)
    assert read(world, blob) == LARGE
    world.expunge(world.inbox, [1])
    assert read(world, blob) == LARGE
    world.expunge(world.inbox, [2])
    assert files(world) == []
    for where in ((), (3, 4)):
        with pytest.raises(Expunged):
            read(world, blob, *where)
    with pytest.raises(NotFound):
        world.store.read_now(lambda tx: tx.blobs.size(blob))


def test_an_id_never_comes_back(world: World) -> None:
    """A reader that still holds the id of a removed blob must never get somebody else's bytes."""
    blob = put(world, b"mine", 100)
    world.expunge(world.inbox, [1])
    assert put(world, b"yours", 100) > blob


def test_a_blob_nobody_refers_to_is_dropped_at_the_end_of_its_job(world: World) -> None:
    prepared = world.store.prepare(body_of(LARGE), 0)
    blob = world.store.write_now(lambda tx: tx.blobs.put(prepared))
    with pytest.raises(Expunged):
        read(world, blob)
    assert files(world) == []


def test_one_body_for_many_recipients_is_one_file(world: World) -> None:
    def job(tx):
        bob = tx.accounts.add(world.alice.domain_id, "bob", "h")
        blob = tx.blobs.put(prepared)
        for account in (world.alice.id, bob.id):
            inbox = tx.mailboxes.target(account, "INBOX").id
            tx.messages.add(account, inbox, blob, derived(), internal_at=NOW)

    prepared = world.store.prepare(body_of(LARGE), 0)
    world.store.write_now(job)
    prepared.discard()  # the store's now
    assert len(files(world)) == 1
    world.expunge(world.inbox, [1])
    assert len(files(world)) == 1


def test_a_failed_job_leaves_the_file_to_who_prepared_it(world: World) -> None:
    prepared = world.store.prepare(body_of(LARGE), 0)

    def job(tx):
        tx.blobs.put(prepared)
        raise NotFound("no")

    with pytest.raises(NotFound):
        world.store.write_now(job)
    assert len(files(world)) == 1
    prepared.discard()
    assert files(world) == []


@pytest.mark.parametrize("threshold", [0, 10_000])
def test_damage_is_noticed(world: World, threshold: int) -> None:
    blob = put(world, LARGE, threshold)
    if threshold:
        world.store.write_now(
            lambda tx: tx.settings._db.run("UPDATE blob SET data = zeroblob(size)")
        )
    else:
        (file,) = files(world)
        file.write_bytes(bytes(len(LARGE)))
    with pytest.raises(Corrupt):
        read(world, blob)


@pytest.mark.parametrize("threshold", [0, 10_000])
@pytest.mark.parametrize("lost", [True, False])
def test_a_lost_or_cut_file_is_whole_again_with_the_next_delivery(
    world: World, threshold: int, lost: bool
) -> None:
    blob = put(world, LARGE, 0)
    (file,) = files(world)
    if lost:
        file.unlink()
    else:
        file.write_bytes(LARGE[:100])
    assert put(world, LARGE, threshold) == blob
    assert read(world, blob) == LARGE
    assert world.store.read_now(lambda tx: tx.verify.problems()) == []


def test_a_lost_file_is_reported_by_verify(world: World) -> None:
    put(world, LARGE, 0)
    assert world.store.read_now(lambda tx: tx.verify.problems()) == []
    (file,) = files(world)
    file.write_bytes(b"cut")
    assert "was cut" in str(world.store.read_now(lambda tx: tx.verify.problems()))
    file.unlink()
    assert "without its file" in str(world.store.read_now(lambda tx: tx.verify.problems()))


def test_removal_and_a_delivery_of_the_same_bytes_do_not_meet(world: World) -> None:
    """The old file goes only after the commit of its row; by then the same bytes may be there again."""
    put(world, LARGE, 0)
    world.flag(world.inbox, [1], bits.DELETED)
    prepared = world.store.prepare(body_of(LARGE), 0)

    def job(tx):
        tx.messages.expunge(world.inbox)
        blob = tx.blobs.put(prepared)
        tx.messages.add(world.alice.id, world.inbox, blob, derived(), internal_at=NOW)
        return blob

    blob = world.store.write_now(job)
    assert read(world, blob) == LARGE
    assert len(files(world)) == 1
    assert world.store.read_now(lambda tx: tx.verify.problems()) == []


def test_files_are_synced_before_and_folders_after_they_appear(world: World, monkeypatch) -> None:
    order: list[str] = []
    sync, rename = os.fsync, Path.rename

    def fsync(handle: int) -> None:
        order.append("folder" if Path(f"/proc/self/fd/{handle}").resolve().is_dir() else "file")
        sync(handle)

    def renamed(self: Path, to: Path) -> Path:
        order.append("rename")
        return rename(self, to)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", renamed)

    def spooled() -> Body:
        spool = Spool(world.store.spool_folder, 0)
        spool.write(LARGE)
        return spool.finish()

    world.store.prepare(spooled(), 0)
    assert order == ["folder", "file", "rename", "folder"]  # blobs/ab in blobs/ first
    order.clear()
    world.store.prepare(spooled(), 0)
    assert order == ["file", "rename", "folder"]
    order.clear()
    world.store.prepare(body_of(LARGE), 0)  # in memory so far: written where it stays
    assert order == ["file", "folder"]
    order.clear()
    other = Store(world.folder)  # what another process made may not be on disk yet
    other.prepare(body_of(LARGE), 0)
    assert order == ["folder", "file", "folder"]


def test_a_full_disk_is_for_later_and_leaves_no_file(world: World, monkeypatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    world.store.prepare(body_of(LARGE), 0).discard()
    spool = Spool(world.store.spool_folder, 0)
    spool.write(LARGE)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        for body in (body_of(LARGE), spool.finish()):
            with pytest.raises(TryLater):
                world.store.prepare(body, 0)
            body.discard()
    assert files(world) == []
    assert list(world.store.spool_folder.iterdir()) == []


def test_a_file_that_went_while_somebody_read_is_an_expunged_message(world: World) -> None:
    blob = put(world, LARGE, 0)

    def job(tx):
        tx.blobs.size(blob)  # the transaction has begun
        other = World.again(world)
        other.expunge(world.inbox, [1])
        other.close()
        with pytest.raises(Expunged):
            tx.blobs.read(blob)
        with pytest.raises(Expunged):
            tx.blobs.read(blob, 5, 5)

    world.store.read_now(job)


def test_sweep_stops_when_it_is_told_to(world: World) -> None:
    strays = [world.store.blob_folder / f"new-{n}" for n in range(3)]
    strays += [world.store.spool_folder / f"in-{n}" for n in range(3)]
    for file in strays:
        file.write_bytes(b"half")
        os.utime(file, (1, 1))
    asked: list[bool] = []

    def is_over() -> bool:
        asked.append(len(asked) >= 4)
        return asked[-1]

    assert world.store.sweep(is_over=lambda: True) == 0
    assert world.store.sweep(is_over=is_over) == 4
    assert sum(file.exists() for file in strays) == 2


def test_sweep_removes_what_a_crash_left(world: World) -> None:
    put(world, LARGE, 0)
    (kept,) = files(world)
    folder = world.store.blob_folder
    orphan = kept.with_name(kept.name.split(".")[0] + ".0123456789abcdef")
    orphan.write_bytes(LARGE)
    strange = folder / "new-x"
    strange.write_bytes(b"half")
    spooled = world.store.spool_folder / "in-x"
    spooled.write_bytes(b"half")
    old = NOW - 100_000
    for file in (kept, orphan, strange, spooled):
        os.utime(file, (old, old))
    young = world.store.spool_folder / "in-y"
    young.write_bytes(b"under way")
    os.utime(young, (NOW - 10, NOW - 10))
    assert world.store.sweep() == 3
    assert files(world) == [kept]
    assert young.exists()


@pytest.mark.parametrize("memory", [0, 5, 1_000_000])
def test_spool(tmp_path: Path, memory: int) -> None:
    spool = Spool(tmp_path, memory)
    for n in range(0, len(LARGE), 100):
        spool.write(LARGE[n : n + 100])
    assert spool.size == len(LARGE)
    body = spool.finish()
    assert (body.size, body.sha256) == (len(LARGE), body_of(LARGE).sha256)
    assert bytes(body.view()) == LARGE
    assert (body.data is None) == (memory < len(LARGE))
    spool.discard()  # harmless now
    assert bytes(body.view()) == LARGE
    body.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_spool_with_more_memory_than_at_first(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 5)
    spool.write(LARGE[:5])
    spool.memory = len(LARGE)
    spool.write(LARGE[5:])
    assert not spool.is_file
    assert list(tmp_path.iterdir()) == []
    spool.write(b"x")
    assert spool.is_file
    body = spool.finish()
    assert bytes(body.view()) == LARGE + b"x"
    assert body.sha256 == hashlib.sha256(LARGE + b"x").digest()
    body.discard()


def test_an_unfinished_spool_leaves_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 3)
    spool.write(b"12345")
    assert len(list(tmp_path.iterdir())) == 1
    spool.discard()
    spool.discard()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_body(world: World) -> None:
    assert Spool(world.store.spool_folder, 0).finish().view() == b""
    blob = put(world, b"", 0)
    assert read(world, blob) == b""


@pytest.mark.parametrize("threshold", [0, 10_000])
def test_a_spooled_file_becomes_a_blob(world: World, threshold: int) -> None:
    spool = Spool(world.store.spool_folder, 10)
    spool.write(LARGE)
    body = spool.finish()
    view = body.view()
    prepared = world.store.prepare(body, threshold)
    assert bytes(view) == LARGE  # still readable: derived data may be computed after
    assert bytes(body.view()) == LARGE
    assert list(world.store.spool_folder.iterdir()) == []
    body.discard()
    assert len(files(world)) == (0 if threshold else 1)
    prepared.discard()
    assert files(world) == []


def test_the_hash_of_a_file_that_gives_way_is_taken_when_somebody_asks(tmp_path: Path) -> None:
    """It seldom is; the message may turn out to need no change after all."""
    for changes in (True, False):
        spool = Spool(tmp_path, 5, changes=changes)
        spool.write(b"0123456789")
        body = spool.finish()
        assert body.path is not None
        assert (body._sha256 is None) == changes
        assert body.sha256 == hashlib.sha256(b"0123456789").digest()
        body.discard()
