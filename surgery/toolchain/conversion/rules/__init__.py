"""The rules of conversion YAML: each a function from settings to findings, one file per subject."""
