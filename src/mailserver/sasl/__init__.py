"""Authentication mechanisms as engines: challenge and response in decoded bytes, no transport, no look-up.

A face decodes base64, feeds the client's responses to a mechanism's `step` and gets back either the next `Challenge` or
the `Credentials` that the client claims.  Whether they are true is for `directory` and `servers.login` to say.
"""
