-- Days that people say are worked or not; conventions as in queries.sql.


-- name: insert_calendar_day
INSERT INTO calendar_days (day_on, works, note, actor, at)
VALUES (:day_on, :works, :note, :actor, :at)

-- name: insert_calendar_year
-- Nothing when it was declared complete before.
INSERT INTO calendar_years (year, note, actor, at) VALUES (:year, :note, :actor, :at)
ON CONFLICT DO NOTHING

-- name: calendar_mark
-- Moves whenever a row is added.
SELECT
    (SELECT CAST(COALESCE(MAX(id), 0) AS BIGINT) FROM calendar_days),
    (SELECT CAST(COUNT(*) AS BIGINT) FROM calendar_years)

-- name: calendar_days
-- What was said last of each day.
SELECT d.day_on, d.works, d.note, d.actor, d.at FROM calendar_days AS d
WHERE d.id = (SELECT MAX(n.id) FROM calendar_days AS n WHERE n.day_on = d.day_on)
ORDER BY d.day_on

-- name: calendar_years
SELECT year, note, actor, at FROM calendar_years ORDER BY year
