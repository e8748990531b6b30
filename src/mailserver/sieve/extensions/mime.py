"""mime: `:mime`, `:anychild` and what they look at, for `header`, `address` and `exists`.

Spec: RFC 5703 §4.  Status: complete.
"""

from mailserver.sieve.registry import STRINGS, tag

tag("mime", of=("mime",), capability="mime")
tag("anychild", of=("mime",), capability="mime")
for _name in ("type", "subtype", "contenttype"):
    tag(_name, of=("mimeopt",), group="mimeopt", capability="mime")
tag("param", STRINGS, of=("mimeopt",), group="mimeopt", capability="mime")
