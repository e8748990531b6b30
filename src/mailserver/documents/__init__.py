"""Attached documents: what is written in them, for searching.

`kinds` says which content is a document; `office` and `pdf` read them, and `child` is a process of its own in which
that happens, for what is attached to mail is written by anybody.  Nothing here knows of messages.
"""
