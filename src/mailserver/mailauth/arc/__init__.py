"""ARC: what the servers on a message's way have found, and whether their chain of seals holds.

`sets` finds the fields that belong together, `verify.Chain` judges them beside the DKIM signatures of the same
`dkim.message.Message`, `seal` adds our own set to a message that we pass on.  Whose
seals count is the caller's decision.
"""
