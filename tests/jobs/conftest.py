"""What these tests share: see newdb."""

from newdb import new_databases

__all__ = ["new_databases"]
