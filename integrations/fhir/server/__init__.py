"""Our FHIR R4 endpoint: what it checks, keeps, shows and hands on. Flask-free; `web/fhir` has the routes."""
