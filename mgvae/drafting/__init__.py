"""A first cohort.yaml and data dictionary, drafted by looking at an extract. What it cannot know, it marks for review."""
