"""One operator working one incident: gate, log, run, log what came of it."""
