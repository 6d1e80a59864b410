"""The FHIR R4 endpoint at `/fhir`."""
