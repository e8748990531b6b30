"""What a domain publishes in the DNS: the records that it needs, how they are written, and what the world sees of them.

`records.py` makes them from what is known of the domain and this host, `forms.py` writes them for people and for other
programs, `looking.py` asks for them, and `compare.py` says what is right, wrong or missing.
"""
