"""Versioned field mappings and code tables between old systems and the clinic's dictionary; `apply.apply` runs one."""
