"""Where other systems call us: signed webhooks."""
