"""DICOM by network: receive studies, send results back, fetch studies; nothing here analyses."""
