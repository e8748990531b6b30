"""The life of a message between socket and mailbox."""
