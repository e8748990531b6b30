"""What the outside tests share: servers under test, a corpus of real mail, wire clients, a process meter.

Nothing here knows the program's insides: a server is a host, ports, accounts and a process tree.
"""
