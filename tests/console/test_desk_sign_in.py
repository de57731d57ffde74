"""Who is let in with a token, for how long, and what ends it."""

import pytest

from records.tokens import Scope
from tests.console.conftest import Browser


@pytest.mark.parametrize("scope", [Scope.READ, Scope.APPROVE, Scope.AGENT, Scope.ADMIN])
async def test_a_token_that_may_look_signs_in(browser: Browser, scope: Scope) -> None:
    name = await browser.sign_in(scope)
    answer = await browser.get("/desk/zone")
    assert answer.status_code == 200
    assert f"<strong>{name}</strong>" in answer.text
