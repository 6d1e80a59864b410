"""The clinic's data dictionary: what each field means, its type, unit, code system and owner."""
