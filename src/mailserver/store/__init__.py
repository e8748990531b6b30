"""The only SQL, the only message files.

Start with `store.Store`: it opens the database, runs jobs and answers.  A job is a function of a transaction (`tx`)
that calls repositories (`accounts`, `mailboxes`, `messages`, ...) and gets values back.  Repositories write SQL where
they use it, keep one invariant a method, and never commit; `commit` does, for many jobs at once.
"""
