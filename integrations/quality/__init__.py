"""Data quality: rules on the dictionary's fields, findings on inbound records, a scorecard a day and source."""
