def table(records): return f"{len(records)} studies"
