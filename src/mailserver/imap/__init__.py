"""The IMAP server: bytes in, responses out, without a socket.

How a command goes: `framing` cuts the input into commands, `dispatch` finds the row of the `registry`, the row's
grammar reads the arguments off a `parser`, its handler yields responses (`response`, written with `wire`), and the
`view` tells the client what else changed.  What a handler needs from outside (a transaction, a line, a thread) it
asks for with the effects of `conversation`; whoever drives the connection carries them out.  One command is one file
in `commands/`.
"""
