"""SPF: whether a host may send mail in the name of a domain, as the domain's record says.

`record.py` reads the record, `macros.py` its macros, `check.py` walks through it and asks the DNS, `identity.py` says
what is checked for a HELO name or a sender, `received.py` writes the header field.
"""
