"""Outgoing I/O: connections to other mail servers, the DNS, TLS, wake-ups between processes.

A message leaves through `smtp` (a connection, `smtp_tls` beside it), to hosts that `dns` has found; `callout` asks a
server about a recipient without sending anything.  The engines that these drive have no
socket: `smtp/client.py`.
"""
