-- Reports on DMARC and TLS: which have left, what waits to be handed over by HTTPS, and those that others sent.
CREATE TABLE report_sent (
  kind        TEXT    NOT NULL,                        -- 'dmarc', 'tls'
  domain      TEXT    NOT NULL,                        -- that it is about
  begin_at    INTEGER NOT NULL,                        -- of its period
  report_id   TEXT    NOT NULL,                        -- '' where there was nobody to send it to
  sent_at     INTEGER NOT NULL,
  outcome     TEXT    NOT NULL,                        -- to whom, or why to nobody
  PRIMARY KEY (kind, domain, begin_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX report_sent_by_time ON report_sent (sent_at);

CREATE TABLE report_upload (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  uri         TEXT    NOT NULL,
  media_type  TEXT    NOT NULL,
  body        BLOB    NOT NULL,
  domain      TEXT    NOT NULL,
  attempts    INTEGER NOT NULL DEFAULT 0,
  due_at      INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX report_upload_due ON report_upload (due_at);

CREATE TABLE report_received (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  kind        TEXT    NOT NULL,                        -- 'dmarc', 'tls', 'failure'
  domain      TEXT    NOT NULL,                        -- of ours, that it is about
  org         TEXT    NOT NULL,                        -- who made it
  report_id   TEXT    NOT NULL,
  begin_at    INTEGER NOT NULL,
  end_at      INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  good        INTEGER NOT NULL,                        -- messages that passed, sessions that went well
  bad         INTEGER NOT NULL,
  facts       BLOB    NOT NULL                         -- JSON, deflated; see mta/report_facts.py
) STRICT;
CREATE UNIQUE INDEX report_received_once ON report_received (kind, domain, org, report_id, begin_at);
CREATE INDEX report_received_by_domain ON report_received (domain, begin_at);
CREATE INDEX report_received_by_time ON report_received (received_at);
