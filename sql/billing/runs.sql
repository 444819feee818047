-- name: reconcile_runs
-- Lists the runs of the older tools, of either shape of their table, newest first.
SELECT r.run_id, max(to_jsonb(r) ->> 'status') AS status,
       sum((to_jsonb(r) ->> 'inserted')::int) AS inserted, sum((to_jsonb(r) ->> 'updated')::int) AS updated,
       max(r.created_at) AS created_at
FROM reconcile_runs r
GROUP BY r.run_id ORDER BY max(r.created_at) DESC NULLS LAST, r.run_id LIMIT %(size)s;
