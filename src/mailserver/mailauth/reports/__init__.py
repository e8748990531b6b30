"""What domains tell each other of their mail: reports on DMARC and on TLS, made and read.

Formats only: values become octets, octets from strangers become values or are refused.  Who sends reports, and what
becomes of those that come, is decided elsewhere.
"""
