"""What these tests share: see outside.fixtures."""

from outside.fixtures import account, dovecot, full, other, samples, server

__all__ = ["account", "dovecot", "full", "other", "samples", "server"]
