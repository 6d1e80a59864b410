"""Author: read, check, deploy and compare process models."""
