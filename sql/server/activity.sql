-- name: waits
-- Tells whether a server process waits for a lock, and which processes hold it up.
SELECT a.wait_event_type = 'Lock' AS waits, a.wait_event AS lock,
       b.pid AS blocker, b.application_name AS application, b.usename::text AS role,
       b.state AS state, extract(epoch FROM clock_timestamp() - b.state_change)::float8 AS seconds
FROM pg_stat_activity a
LEFT JOIN LATERAL unnest(pg_blocking_pids(a.pid)) AS held (pid) ON true
LEFT JOIN pg_stat_activity b ON b.pid = held.pid
WHERE a.pid = %(pid)s
ORDER BY b.state_change;
