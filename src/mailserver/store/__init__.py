"""The only SQL, the only message files."""
