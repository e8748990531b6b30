"""IMAP4rev1: grammar, engine, session, one file a command."""
