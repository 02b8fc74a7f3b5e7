"""Pages for a browser, in one file."""
