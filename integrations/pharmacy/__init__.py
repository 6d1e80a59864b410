"""The pharmacy: dispensing orders out (RDE^O11), dispense confirmations in (RDS^O13)."""
