ALTER TABLE account ADD COLUMN time_zone TEXT;  -- 'Europe/Berlin', in which its days begin; NULL: the server's
