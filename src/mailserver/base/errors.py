"""What can go wrong, in mail terms.  No error here knows a wire protocol; each room translates them in one table."""


class MailError(Exception):
    """A refusal the peer may hear about.  The text is safe to send; causes go to the log."""


class NotFound(MailError):
    """The named thing does not exist, or the user may not know that it does."""


class NoTarget(NotFound):
    """The mailbox to put messages into does not exist, but could be created."""


class AlreadyExists(MailError):
    """A thing with this name is there already."""


class NotAllowed(MailError):
    """The user is known, but has no right to this."""


class ReadOnly(NotAllowed):
    """The mailbox is open for reading only."""


class Cannot(MailError):
    """What was asked can never be done: an impossible name, deleting INBOX."""


class HasChildren(Cannot):
    """A mailbox stays because of those below it."""


class InUse(MailError):
    """The thing is needed by others: a domain that still has accounts."""


class AuthFailed(MailError):
    """Log-in name or password is wrong; it is never said which."""


class OverQuota(MailError):
    """Storing this would exceed the account's quota."""


class TooLarge(MailError):
    """The message is larger than this server or account takes."""


class LimitReached(MailError):
    """A configured limit on counts is reached: recipients, mailboxes, keywords, connections."""


class TryLater(MailError):
    """Nothing is wrong with the request, but not now: disk full, shutting down, overloaded."""


class Expunged(MailError):
    """A message that was asked for is no longer there."""


class Corrupt(MailError):
    """What is stored does not match its checksum."""


class PeerError(Exception):
    """The peer broke the protocol's grammar or order: its bug, never ours."""
