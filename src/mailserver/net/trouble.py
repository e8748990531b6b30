"""What kept a connection from coming about, for people: without numbers, and without an address that is said anyway.

Spec: none.  Status: complete.
"""

import os


def said(error: Exception) -> str:
    """The operating system's word for *error* where it has one, else its own, else its name."""
    if type(error).__module__ == "builtins" and isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
