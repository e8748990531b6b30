"""Inbound checks, one a file; importing a file enters its check into the table of `mta.check`."""
