"""Mail on its way in and out of whole mailboxes: from and to folders of files, and from other IMAP servers.

A *source* gives mailboxes and their mail (`mail.py`); `taking.py` files it, in batches that are safe on disk together,
and notes what has come.  `leaving.py` goes through an account the other way.  Everything works while the server runs.
"""
