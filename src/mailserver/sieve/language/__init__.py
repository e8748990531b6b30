"""The base language, RFC 5228: one file for each command or test, or few that belong together."""
