"""The commands that the connection carries out itself.

Spec: RFC 5804 §2.1 (AUTHENTICATE), §2.2 (STARTTLS), §2.3 (LOGOUT), §2.14.  Status: complete.
"""

from mailserver.managesieve.registry import State, talks

talks("AUTHENTICATE", bytes, bytes, state=State.BEFORE, optional=1)
talks("STARTTLS", state=State.BEFORE)
talks("LOGOUT", state=State.ANY)
talks("UNAUTHENTICATE", state=State.AFTER)
