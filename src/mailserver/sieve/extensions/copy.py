"""copy: fileinto and redirect without an end to the implicit keep.

Spec: RFC 3894.  Status: complete.
"""

from mailserver.sieve.registry import tag

tag("copy", of=("copy",), capability="copy")
