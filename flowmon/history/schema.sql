-- What was known when: one row a finding, the same for PostgreSQL and SQLite.
-- `at` is the time the finding holds for, `recorded` when the store learned it; UTC seconds since the epoch.
-- A finding is named (venue, offset, index): told twice, it is stored once.
CREATE TABLE IF NOT EXISTS findings (
  venue    text             NOT NULL,
  "offset" bigint           NOT NULL,
  "index"  integer          NOT NULL,
  subject  text             NOT NULL,
  type     text             NOT NULL,
  at       double precision NOT NULL,
  recorded double precision NOT NULL,
  body     text             NOT NULL,
  PRIMARY KEY (venue, "offset", "index")
);
CREATE INDEX IF NOT EXISTS findings_subject_at ON findings (venue, subject, at);
