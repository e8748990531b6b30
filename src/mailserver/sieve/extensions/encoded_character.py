"""encoded-character: characters by their numbers; `strings.read` decodes them.

Spec: RFC 5228 §2.4.2.4.  Status: complete.
"""

from mailserver.sieve.registry import announce

announce("encoded-character")
