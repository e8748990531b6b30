"""Outgoing I/O: adapters between the rooms and the operating system's sockets."""
