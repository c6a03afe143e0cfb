"""Report contract (report.json) and its rendering as one HTML page."""
