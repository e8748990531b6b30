-- What a domain of ours tells other servers about the security of its mail hosts (RFC 8461).
ALTER TABLE domain ADD COLUMN mta_sts TEXT NOT NULL DEFAULT 'none' CHECK (mta_sts IN ('none', 'testing', 'enforce'));
