"""A whole mail system in one program.

Rooms by mail vocabulary, floors by I/O; imports go down only.

    app                             composition: config, wiring, run, the command line    8
    servers  jobs                   what listens, what wakes up                           7
    net                             outgoing I/O: TLS contexts, wake-ups                  6
    imap                            the faces; they never import each other               5
    mta                             the life of a message between socket and mailbox      4
    directory                       who is who: domains, accounts, aliases, passwords     3
    store                           the only SQL, the only message files                  2
    smtp  sasl  mime                pure engines and formats                              1
    base                            errors, ids, limits, log, registry                    0
"""

__version__ = "0.1.0"
