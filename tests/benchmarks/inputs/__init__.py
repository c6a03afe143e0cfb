"""How inputs of many kinds are read: rightly, refused with the reason, wrongly, or with a crash."""
