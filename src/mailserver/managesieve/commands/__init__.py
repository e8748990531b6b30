"""One file for each command, or few that belong together."""
