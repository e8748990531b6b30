"""One server for one data folder."""

import os
import threading

import pytest

from mailserver.app.lock import ServerLock, running
from mailserver.base.errors import InUse, MailError


def test_the_lock_names_its_holder(tmp_path):
    assert running(tmp_path) is None
    lock = ServerLock(tmp_path)
    assert running(tmp_path) == os.getpid()
    assert (tmp_path / "server.pid").read_text() == f"{os.getpid()}\n"
    with pytest.raises(InUse, match=rf"already \(process {os.getpid()}\); stop it first"):
        ServerLock(tmp_path)
    lock.release()
    assert running(tmp_path) is None
    ServerLock(tmp_path).release()


def test_a_file_from_a_crash_is_no_lock(tmp_path):
    (tmp_path / "server.pid").write_text("99999\n")
    assert running(tmp_path) is None
    lock = ServerLock(tmp_path)
    assert running(tmp_path) == os.getpid()
    lock.release()


def test_a_child_keeps_the_lock(tmp_path):
    lock = ServerLock(tmp_path)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    os.close(reading)
    os.close(lock._fd)  # as the kernel does when the parent is killed
    with pytest.raises(InUse, match=rf"process {os.getpid()}"):
        ServerLock(tmp_path)
    (tmp_path / "server.pid").write_text("99999999\n")
    with pytest.raises(InUse, match="process 99999999"):
        ServerLock(tmp_path, orphans_s=0.1)
    soon = threading.Timer(0.3, os.close, (writing,))
    soon.start()
    ServerLock(tmp_path).release()  # it has waited for the child
    os.waitpid(pid, 0)
    soon.join()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MailError, match=r"none/server\.pid: No such file or directory"):
        ServerLock(tmp_path / "none")
