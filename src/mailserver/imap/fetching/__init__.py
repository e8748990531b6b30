"""FETCH's data items: what each one is called, which stored columns or octets it needs, how it reads on the wire.

`items/` holds one family of items a file; `plan` turns the items of one command into columns to read and a line to
fill; `pieces` cuts sections out of stored messages by their offsets.  Nothing here parses MIME.
"""
