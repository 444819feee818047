-- name: set_local_settings
-- Sets the time-outs and the text forms of this transaction alone.
SELECT set_config('statement_timeout', %(statement)s, true),
       set_config('lock_timeout', %(lock)s, true),
       set_config('idle_in_transaction_session_timeout', '30s', true),
       set_config('TimeZone', 'UTC', true),
       set_config('DateStyle', 'ISO, YMD', true),
       set_config('IntervalStyle', 'iso_8601', true),
       set_config('extra_float_digits', '1', true),
       set_config('bytea_output', 'hex', true),
       -- Plans hold wide images; the default spills them to disk.
       set_config('work_mem', '64MB', true);

-- name: room_for_temporary_tables
-- Keeps the temporary tables of this connection in memory; only possible before the first of them.
SELECT set_config('temp_buffers', '64MB', false);
