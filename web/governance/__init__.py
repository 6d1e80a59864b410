"""Data governance: the dictionary, mappings and code tables, data quality, and duplicates in the patient index."""
