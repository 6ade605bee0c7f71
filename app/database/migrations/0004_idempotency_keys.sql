-- POST /tasks with an Idempotency-Key: what was asked under it (a SHA-256), and the task it created.
CREATE TABLE idempotency_keys (
    key text PRIMARY KEY,
    request bytea NOT NULL,
    task json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX idempotency_keys_oldest_first ON idempotency_keys (created_at);
