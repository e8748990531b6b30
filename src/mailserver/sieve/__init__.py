"""Sieve: scripts that say what becomes of a message.  A pure interpreter; nothing here files, sends or reads a clock.

`compiler.compile_script` turns text into a `Program`, once; `run.run(program, message, environment)` gives the actions
it asks for.  `language/` holds the base language, `extensions/` one file for each extension; both fill the tables of
`registry`.
"""
