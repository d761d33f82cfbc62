-- Server processes, as far as they say that they are there. Nothing depends on it but what people are told and how work is
-- shared out: a row that is missing or old costs neither safety nor work.

CREATE TABLE servers (
    holder          text PRIMARY KEY,
    roles           text[] NOT NULL,
    version         text NOT NULL,
    -- What the executor is limited to; empty for every cluster.
    cluster_labels  jsonb NOT NULL DEFAULT '{}',
    started_at      timestamptz NOT NULL DEFAULT now(),
    seen_at         timestamptz NOT NULL DEFAULT now(),
    -- It said that it stops; none while it runs, and when it was killed.
    stopped_at      timestamptz
);
CREATE INDEX servers_seen ON servers (seen_at DESC);
