"""Where other systems call us: signed webhooks and FHIR."""
