"""Tools that make parts of the documentation: generated references, included pages, the picture of the report."""
