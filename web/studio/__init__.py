"""Studio: deployed models, the editors, checking and deploying."""
