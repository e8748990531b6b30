"""index: `:index` and `:last`, one of the fields with the same name.

Spec: RFC 5260 §6.  Status: complete.
"""

from mailserver.sieve.registry import NUMBER, tag

tag("index", NUMBER, of=("fields",), capability="index")
tag("last", of=("fields",), capability="index")
