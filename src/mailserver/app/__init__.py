"""Composition: the only room that knows everything.  Configuration, wiring, run, the command line."""
