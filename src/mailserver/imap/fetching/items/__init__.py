"""The data items of FETCH, one family a file; each registers itself when the folder is scanned."""
