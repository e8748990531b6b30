"""The format of mail: header fields, addresses, parts, structure, by offsets into the raw message."""
