"""Every answer tells a browser to do nothing with it that was not meant, and says nothing of what serves it."""

from pathlib import Path

import pytest

from starter.http.headers import ANSWERS
from tests.starter.conftest import Api, running_api


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/metrics", 200),
        ("GET", "/invoices", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/invoices/nothing", 404),
        ("GET", "/nowhere", 404),
        ("DELETE", "/invoices", 405),
        ("POST", "/webhooks/jupiter", 401),
        ("POST", "/webhooks/stripe", 404),
        ("OPTIONS", "/invoices", 405),
    ],
)
async def test_no_answer_of_the_api_is_a_page_a_frame_or_kept(
    api_without_temporal: Api, method: str, path: str, status: int
) -> None:
    answer = await api_without_temporal.http.request(method, path)
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in ANSWERS} == ANSWERS
    assert answer.headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in answer.headers
    assert not {name for name in answer.headers if name.startswith("access-control-")}


async def test_a_wrong_method_is_told_every_right_one(api_without_temporal: Api) -> None:
    for path, methods in (("/customers/acme", "GET, PUT"), ("/invoices", "GET"), ("/triggers/quote", "POST")):
        answer = await api_without_temporal.http.request("DELETE", path)
        assert (answer.status_code, answer.headers["allow"]) == (405, methods)


async def test_a_refusal_of_the_outer_layers_has_them_too(api_without_temporal: Api) -> None:
    answer = await api_without_temporal.http.post("/triggers/quote", content=b"x" * 2_000_000)
    assert answer.status_code == 413
    assert {name: answer.headers.get(name) for name in ANSWERS} == ANSWERS


async def test_the_page_of_the_calls_may_load_its_own_files_and_no_other(api_without_temporal: Api) -> None:
    answer = await api_without_temporal.http.get("/docs")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "https://cdn.jsdelivr.net" in policy
    assert "https://cdn.jsdelivr.net" in answer.text
    assert (await api_without_temporal.http.get("/redoc")).status_code == 404


async def test_whoever_reached_us_by_https_stays_with_https(tmp_path: Path) -> None:
    async with running_api("127.0.0.1:1", tmp_path, public_url="https://billing.example") as api:
        for path in ("/healthz", "/desk/sign-in"):
            assert (await api.http.get(path)).headers["strict-transport-security"] == "max-age=31536000"
