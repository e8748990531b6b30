-- Quotas beside octets: messages and mailboxes, of an account or of each account in a domain; who may change them over IMAP.
ALTER TABLE account ADD COLUMN max_messages INTEGER CHECK (max_messages >= 0);    -- NULL: the domain's
ALTER TABLE account ADD COLUMN max_mailboxes INTEGER CHECK (max_mailboxes >= 0);  -- NULL: the domain's
ALTER TABLE account ADD COLUMN is_admin INTEGER NOT NULL DEFAULT 0 CHECK (is_admin IN (0, 1));
ALTER TABLE domain ADD COLUMN max_messages INTEGER CHECK (max_messages >= 0);     -- NULL: none
ALTER TABLE domain ADD COLUMN max_mailboxes INTEGER CHECK (max_mailboxes >= 0);   -- NULL: the server's
