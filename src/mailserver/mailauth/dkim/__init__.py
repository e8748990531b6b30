"""DKIM signatures, read and made.

A message is read once: `message.Message` takes the header block, then the body in pieces, and computes each hash that
somebody wants (`header`, `body`).  `verify.Verification` says which keys it needs from the DNS and judges every
signature (`signature`, `record`); `sign` makes fields with the private keys of `keys`.  Both tag lists are `tags`.
"""
