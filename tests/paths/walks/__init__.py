"""Every path of an invoice's life, as one walk each on the real stack, from the trigger to a closed workflow.

Two things walk them: `tests/histories/record.py` keeps the history that each leaves, and the crash drill kills the
worker on the way. `WALKS` names them; a path that is added to the product is added here, and a test says so.
"""

from tests.paths.walks import agents, approvals, changes, continued, ends, parked, unasked
from tests.paths.walks.walk import WALKS, Engine, Walk

__all__ = ["WALKS", "Engine", "Walk", "agents", "approvals", "changes", "continued", "ends", "parked", "unasked"]
