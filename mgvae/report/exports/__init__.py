"""Documents made from a run's report for journals, reviewers and hospitals; none of them claims compliance."""
