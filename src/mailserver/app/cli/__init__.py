"""The command line: one file a command, scanned.  Each module's `command` is what `mailserver NAME` runs.

Modules here import nothing heavy at their top: `mailserver --help` must feel instant.
"""
