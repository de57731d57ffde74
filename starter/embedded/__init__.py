"""The whole of Billhook on one machine: children under one supervisor, and the demo that plays a month on it."""
