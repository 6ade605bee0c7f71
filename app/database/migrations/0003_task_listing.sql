-- For GET /tasks with a query: by status, and by words in title or description.
CREATE INDEX tasks_by_status ON tasks (status, created_at DESC, id DESC);

-- Punctuation parts words: otherwise "docker-compose.yml" would be one word, a file's name.
CREATE FUNCTION tasks_plain(content text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(content, '[\x01-/:-@[-`{-\x7f]+', ' ', 'g');

CREATE FUNCTION tasks_words(title text, description text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_tsvector('simple', tasks_plain(title || ' ' || description));

CREATE INDEX tasks_by_word ON tasks USING gin (tasks_words(title, description));
