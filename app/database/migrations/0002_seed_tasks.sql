-- The three tasks every new database starts with. They are a migration, so a deleted one does not come back.
-- All lie in the past, one second apart and the first one newest: listed newest first they show as 1, 2, 3, and
-- every task of a user comes before them.
INSERT INTO tasks (title, description, status, created_at, updated_at)
SELECT title, description, status, moment, moment
FROM (
    VALUES
    (1, 'Setup Docker Environment', 'Configure all containers and networks', 'completed'),
    (2, 'Create Flask API', 'Develop REST API with CRUD operations', 'in_progress'),
    (3, 'Implement Redis Cache', 'Add caching layer for better performance', 'pending')
) AS seed (place, title, description, status)
CROSS JOIN LATERAL (
    SELECT date_trunc('second', now() AT TIME ZONE 'UTC') - place * interval '1 second' AS moment
) AS clock
ORDER BY place;
