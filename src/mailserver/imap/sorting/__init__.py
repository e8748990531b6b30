"""SORT: by what messages are sorted, in which order they come, and what is remembered of it.

`criteria` is the grammar and the table of sort keys; `display` reads the names that people see; `pieces` sorts without
holding up others; `order` puts the messages of a mailbox into an order and keeps it while the mailbox changes.
"""
