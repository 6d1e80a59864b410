"""FHIR R4: referrals out, updates in."""
