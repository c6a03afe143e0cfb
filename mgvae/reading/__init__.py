"""Files to typed columns: where the parts of an extract lie, how CSV and Parquet are read, how cells become values."""
