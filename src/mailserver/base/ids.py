"""Identities.  NewTypes, so that mypy keeps UIDs and sequence numbers apart."""

from typing import NewType

DomainId = NewType("DomainId", int)
AccountId = NewType("AccountId", int)
AliasId = NewType("AliasId", int)
GroupId = NewType("GroupId", int)
AppPasswordId = NewType("AppPasswordId", int)
ScriptId = NewType("ScriptId", int)  #: a Sieve script
ListId = NewType("ListId", int)  #: of texts that filters ask for
AddressBookId = NewType("AddressBookId", int)
CardId = NewType("CardId", int)  #: of somebody in an address book
EventId = NewType("EventId", int)  #: something that happened in a mailbox
MailboxId = NewType("MailboxId", int)
MessageId = NewType("MessageId", int)  #: the row's identity (EMAILID), not the Message-ID field
ThreadId = NewType("ThreadId", int)
BlobId = NewType("BlobId", int)
QueuedId = NewType("QueuedId", int)  #: a message in the queue
RecipientId = NewType("RecipientId", int)  #: one of its recipients
DestinationId = NewType("DestinationId", int)

Uid = NewType("Uid", int)  #: RFC 9051 §2.3.1.1
Seq = NewType("Seq", int)  #: RFC 9051 §2.3.1.2, counts from 1
UidValidity = NewType("UidValidity", int)
ModSeq = NewType("ModSeq", int)  #: RFC 7162 §3.1, grows with every change in an account
