"""Content-addressed artifacts, in a folder or on a URL."""
