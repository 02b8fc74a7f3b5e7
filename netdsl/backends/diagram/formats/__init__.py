"""Pictures as files: what writes their shapes and texts, one module a format."""
