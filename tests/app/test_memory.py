"""Memory that hashing passwords takes goes back to the system."""

import subprocess
import sys

HASHES = """
import sys, threading
from mailserver.app.memory import give_back_large_blocks
from mailserver.directory.passwords import hash_password

def held():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

assert give_back_large_blocks() == sys.platform.startswith("linux")
hash_password("the first one")
before, after = held(), []
barrier, done = threading.Barrier(4), threading.Event()
def work():
    for _ in range(3):
        hash_password("correct horse")
    barrier.wait()
    done.wait()
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
barrier.wait()
print(held() - before)
done.set()
"""


def test_threads_that_hashed_hold_nothing_of_it():
    said = subprocess.run(
        [sys.executable, "-c", HASHES], capture_output=True, text=True, check=True, timeout=120
    )
    assert int(said.stdout) < 19_000, "kB still held after the hashes are done"
