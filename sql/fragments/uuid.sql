-- name: valid_uuid
-- True for a UUID as it is usually written, asked of the type itself.
(octet_length({text}) = 36 AND pg_input_is_valid({text}, 'uuid'))

-- name: valid_uuid_by_pattern
-- The same for servers before 16, which cannot be asked.
({text} ~ '^[0-9a-fA-F]{{8}}-[0-9a-fA-F]{{4}}-[0-9a-fA-F]{{4}}-[0-9a-fA-F]{{4}}-[0-9a-fA-F]{{12}}$')

-- name: record_id
-- The record that an audit row is about.
a.record_id

-- name: record_id_if_uuid
-- The same where the column is text and may hold anything.
CASE WHEN {valid} THEN a.record_id::uuid END
