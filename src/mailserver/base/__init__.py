"""What every room may use: errors in mail terms, identities, limits, the log.  Imports nothing of ours."""
