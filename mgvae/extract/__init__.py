"""Read extract files into a typed table: parts, CSV, Parquet, cells."""
