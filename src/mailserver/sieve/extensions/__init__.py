"""One file for each extension: what it adds, next to the capability that a script requires for it."""
