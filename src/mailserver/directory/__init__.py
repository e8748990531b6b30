"""Who is who: domains, accounts, aliases, passwords, rights."""
