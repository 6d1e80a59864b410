"""Moving a department's cases from an old system: source, check, dry run, batches, acceptance, taking back."""
