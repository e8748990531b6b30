"""How the C library's allocator behaves in a worker: large blocks go back to the system once they are free."""

import ctypes

M_MMAP_THRESHOLD = -3  #: glibc, mallopt(3)
LARGE = 4_194_304  #: octets from which on a block is mapped on its own


def give_back_large_blocks() -> bool:
    """Whether the allocator was told so; False where it is not glibc's.

    Left alone, glibc learns from the first argon2 hash that is freed (19 MiB) to keep such blocks: every thread that
    ever verified a password then holds that much for good.
    """
    try:
        return bool(ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE))
    except (OSError, AttributeError, TypeError):
        return False
