-- step: Let the audit trigger call a function that is not on its search path, as if an extension
-- lived in another schema: every insert into audit_logs fails.
CREATE OR REPLACE FUNCTION compute_audit_log_hash() RETURNS trigger
LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    payload text;
    computed text;
BEGIN
    payload := NEW.id::text || '|' || NEW.action || '|' || NEW.created_at::text;
    computed := encode(digest(payload, 'sha256'), 'hex');
    RETURN jsonb_populate_record(NEW, jsonb_build_object('hash', computed));
END
$$;
CREATE OR REPLACE TRIGGER trg_audit_log_hash BEFORE INSERT ON audit_logs
    FOR EACH ROW EXECUTE FUNCTION compute_audit_log_hash();
