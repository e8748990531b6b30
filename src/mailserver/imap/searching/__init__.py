"""SEARCH: a program of keys, tried on the messages of a mailbox from the cheapest test to the dearest.

`keys/` holds one family of search keys a file; `program` reads the keys of one command and decides, three-valued, what
is known so far; `scan` walks a slice of the mailbox and looks into bodies only for messages that are still undecided.
"""
