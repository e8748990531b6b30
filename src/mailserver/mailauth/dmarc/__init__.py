"""DMARC: whether the domain in From stands behind a message, and what its owner wants done with those it does not.

`author` finds the domain in the header, `discover` finds its record, `judge` holds both against what SPF and
DKIM found.
"""
