"""Mail authentication: who a message really is from, as the DNS and signatures tell.

Pure engines: bytes and a clock's reading come in, verdicts with their reasons come out.  What the DNS says is asked of
a `resolver.Resolver`, which somebody with a socket brings.
"""
