"""SMTP engine: bytes in, events out; replies, addresses, the end of DATA."""
