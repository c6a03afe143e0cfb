"""Run folders, their records, the champion, and cleanup."""
