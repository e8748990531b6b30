"""The life of a message between socket and mailbox.

A transaction (`receive`) collects sender, recipients and content; `route` says who gets it; `check` and the files in
`checks/` say whether it is taken; `deliver` files it for all recipients in one commit.  Nothing here waits: whoever
drives a connection does, and calls in between.
"""
