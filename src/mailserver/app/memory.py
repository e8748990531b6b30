"""How the C library's allocator behaves in a worker: large blocks go back to the system, a little free room stays."""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  #: glibc, mallopt(3)
LARGE = 4_194_304  #: octets from which on a block is mapped on its own
ROOM = 2_097_152  #: octets at the end of each heap that stay when they are free


def give_back_large_blocks() -> bool:
    """Whether the allocator was told so; False where it is not glibc's.

    Left alone, glibc learns from the first argon2 hash that is freed (19 MiB) to keep such blocks: every thread that
    ever verified a password then holds that much for good.  Told only that, it gives back whatever is free beyond
    128 KiB, and each message of a megabyte makes the system find and clear some 400 pages again.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
        return bool(mallopt(M_MMAP_THRESHOLD, LARGE) and mallopt(M_TRIM_THRESHOLD, ROOM))
    except (OSError, AttributeError, TypeError):
        return False
