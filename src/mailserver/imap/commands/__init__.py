"""One file a command: its grammar, its behaviour, its capability.  Every module here is imported on start."""
