"""Settings of all tests: Hypothesis without deadlines, since machines may be busy."""

from hypothesis import HealthCheck, settings

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("unhurried", UNHURRIED)
settings.register_profile("repeatable", UNHURRIED, derandomize=True, database=None)  # for make mutate
settings.load_profile("unhurried")
