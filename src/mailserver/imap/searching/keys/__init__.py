"""The search keys, one family a file; each registers itself when the folder is scanned."""
