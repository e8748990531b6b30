"""The format of mail: header fields, addresses, parts, structure, by offsets into the raw message.

Octets come in, values go out; nothing here fails on what a message says.  `scan.derive` is the way in at delivery:
one pass finds the parts (`parts`, with `entity` for one of them), and all that FETCH, SEARCH, SORT and THREAD want to
know is made from it (`envelope`, `structure`, `layout`, `subjects`, `threads`, `dates`).  Later only `layout` is read
again, and `decode` and `text` when somebody searches a body.  What we write ourselves is made by `compose`; a message
that a transport cannot carry as it is gets another form in `downgrade`, with the encodings of `encode`.
"""
