-- Where the write canary writes. No constraint keeps a number from being there twice: a doubled write must show.
CREATE SCHEMA canary;
CREATE TABLE canary.writes (
  id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  writer integer NOT NULL,
  seq    bigint NOT NULL,
  at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX writes_writer_seq ON canary.writes (writer, seq);
