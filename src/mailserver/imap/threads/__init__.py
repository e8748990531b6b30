"""THREAD: which messages belong together, and how.

`kin` reads what messages say of each other, and remembers it for a mailbox; `links` makes trees of it; `algorithms` has
the rules by which clients want threads put together; `writing` puts them on the wire.  Nothing here recurses, and all
of it takes time in proportion to the messages, whatever these claim to be replies to.
"""
