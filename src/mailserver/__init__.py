"""A whole mail system in one program.

Rooms by mail vocabulary, floors by I/O; imports go down only.

    8  app          Composition: the only room that knows everything
    7  servers      What listens: asyncio loops around the engines
       jobs         What wakes up by itself: one file a job
       moving       Mail on its way in and out of whole mailboxes: from and to folders of
                    files, and from other IMAP servers
    6  net          Outgoing I/O: connections to other mail servers, the DNS, TLS, wake-ups
                    between processes
    5  imap         The IMAP server: bytes in, responses out, without a socket
       managesieve  ManageSieve: users keep their Sieve scripts on the server
    4  mta          The life of a message between socket and mailbox
    3  directory    Who is who: domains, accounts, aliases, passwords, rights
    2  store        The only SQL, the only message files
    1  smtp         SMTP engine: bytes in, events out; replies, addresses, the end of DATA
       sieve        Sieve: scripts that say what becomes of a message
       mailauth     Mail authentication: who a message really is from, as the DNS and
                    signatures tell
       documents    Attached documents: what is written in them, for searching
       ical         Cards of people as programs exchange them (vCard): content lines, what
                    they say, files with many
       sasl         Authentication mechanisms as engines: challenge and response in decoded
                    bytes, no transport, no look-up
       mime         The format of mail: header fields, addresses, parts, structure, by offsets
                    into the raw message
    0  base         What every room may use: errors in mail terms, identities, limits, the log
"""

__version__ = "0.1.0"
