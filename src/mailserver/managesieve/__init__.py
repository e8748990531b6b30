"""ManageSieve: users keep their Sieve scripts on the server.

`framing` cuts what a client sends into commands, `commands/` has a file for each, `registry` their table.  The
connection itself, with log-in and TLS, is `servers/managesieve.py`.
"""
