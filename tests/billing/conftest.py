"""Property tests judge what is computed, not how busy the machine is: no time limit per example."""

from hypothesis import HealthCheck, settings

settings.register_profile("billing", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("billing_long", parent=settings.get_profile("billing"), max_examples=3000)
settings.load_profile("billing")
