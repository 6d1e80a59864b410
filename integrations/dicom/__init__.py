"""DICOM: the modality worklist that we serve, questions to a PACS, and studies that have arrived there."""
