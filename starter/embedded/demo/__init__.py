"""A month of billing, played through the doors that everybody has: the HTTP API and the recipient's page."""
