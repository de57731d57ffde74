"""Other systems' signed webhooks: each verified by its own scheme, stored, and then taken as one of our triggers.

One module per system knows two things of it: how it signs, and what its events mean with `motions.toml` beside them.
Everything else, the door, the retries, the quarantine, is the same for all.
"""
