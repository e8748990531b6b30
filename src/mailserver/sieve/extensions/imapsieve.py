"""imapsieve: scripts for what happens in mailboxes, which `environment` tells them of.

Spec: RFC 6785 §2.1, §3.11, §4.  Status: complete.
"""

from mailserver.sieve.registry import announce

announce("imapsieve")

#: what makes no sense but at delivery, and is an error in these scripts (RFC 6785 §3.11)
AT_DELIVERY = frozenset({"reject", "ereject", "vacation", "vacation-seconds"})

#: what nobody did: items of `environment` at delivery (RFC 6785 §4.2)
NO_USER = {"imap.user": "", "imap.email": ""}
