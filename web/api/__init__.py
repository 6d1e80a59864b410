"""`/api/v1` for other programs: bearer tokens with scopes, problem JSON, cursors, idempotency keys."""
