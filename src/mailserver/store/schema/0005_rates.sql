-- Limits by the hour and day of single accounts and domains, in place of the configuration's.

CREATE TABLE rate_override (
  id          INTEGER PRIMARY KEY,
  account_id  INTEGER REFERENCES account ON DELETE CASCADE,
  domain_id   INTEGER REFERENCES domain ON DELETE CASCADE,
  is_each     INTEGER NOT NULL DEFAULT 0 CHECK (is_each IN (0, 1)),  -- for each account of the domain, not for all together
  measure     TEXT    NOT NULL CHECK (measure IN ('messages', 'recipients', 'bytes')),
  period      TEXT    NOT NULL CHECK (period IN ('hour', 'day')),
  most        INTEGER NOT NULL CHECK (most >= 0),                    -- 0: no bound
  CHECK ((account_id IS NULL) <> (domain_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX rate_override_of_account ON rate_override (account_id, measure, period) WHERE account_id IS NOT NULL;
CREATE UNIQUE INDEX rate_override_of_domain ON rate_override (domain_id, is_each, measure, period)
  WHERE domain_id IS NOT NULL;
