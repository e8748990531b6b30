"""Filters that people set without writing any: senders they block, an auto-reply, a forward, rules that move mail.

`model` says what can be set, `as_sieve` writes it as a script, `reading` reads that script back, and `keeping` has it
stored.  The script is all that is stored; each account has one at most, without a name, beside those with names.
"""
