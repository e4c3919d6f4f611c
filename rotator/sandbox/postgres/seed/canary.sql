-- Where the write canary writes. Every table has a key, so that logical replication can carry updates and deletes; but
-- no constraint keeps a number from being there twice: a doubled write must show. What each table must hold follows
-- from canary.writes alone (rotator/sandbox/canary/mix.py).
CREATE SCHEMA canary;

-- One row for each committed transaction: its identity and its proof.
CREATE TABLE canary.writes (
  id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  writer integer NOT NULL,
  seq    bigint NOT NULL,
  at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX writes_writer_seq ON canary.writes (writer, seq);

-- Counts the committed transactions of one kind.
CREATE TABLE canary.counter (
  writer integer NOT NULL,
  slot   integer NOT NULL,
  value  bigint NOT NULL,
  PRIMARY KEY (writer, slot)
);

-- Three rows for each transaction of one kind, all or none.
CREATE TABLE canary.line (
  id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  writer integer NOT NULL,
  seq    bigint NOT NULL,
  number integer NOT NULL
);
CREATE INDEX line_writer_seq ON canary.line (writer, seq);

-- A row comes with one transaction and goes with a later one.
CREATE TABLE canary.queue (
  id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  writer integer NOT NULL,
  seq    bigint NOT NULL
);
CREATE INDEX queue_writer_seq ON canary.queue (writer, seq);

-- Written only by what is rolled back: always empty.
CREATE TABLE canary.never (
  id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  writer integer NOT NULL,
  seq    bigint NOT NULL
);
