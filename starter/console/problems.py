"""A refusal as a page, or as a message in the page where htmx asked: what is wrong, and what to do next.

The words are those of the API, except where they would send a reader of pages to a call.
"""

from typing import Final
from urllib.parse import quote, urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse

from starter.console.desk import HOME
from starter.console.render import is_fragment, page, say
from starter.console.route import SignInFirst
from starter.console.visits import visit_of
from starter.http.problems import KINDS, RETRY_AFTER_S, Problem, retry_after, told

SIGN_IN: Final = "/desk/sign-in"
_TITLES: Final = {
    400: "That could not be read",
    401: "Please sign in",
    403: "You may not do this",
    404: "There is nothing here",
    405: "That is no way to use this page",
    409: "Things have changed",
    413: "That is too much",
    422: "Something in the form is not right",
    429: "Please wait a while",
    503: "Part of Billhook does not answer",
}
_NEXT: Final = {
    "not-found": "look for it in the inbox or among the invoices",
    "method-not-allowed": "go back and use the buttons of the page",
    "database-busy": "try again shortly; if it stays so, tell whoever runs Billhook",
    "database-unreachable": "try again shortly; if it stays so, tell whoever runs Billhook",
    "no-answer-yet": "look at the invoice before you try again",
    "engine-unreachable": "nothing was done; try again shortly, or tell whoever runs Billhook",
    "internal": "try again later; if it stays so, tell whoever runs Billhook",
}


def install(app: FastAPI) -> None:
    """Make the desk answer every error in words."""
    for kind in KINDS:
        app.add_exception_handler(kind, _answer)


async def _answer(request: Request, error: Exception) -> Response:
    if isinstance(error, SignInFirst):
        return _to_sign_in(request, error)
    answer = shown(request, told(request, error))
    if wait := retry_after(error):
        answer.headers["Retry-After"] = wait
    return answer


def shown(request: Request, problem: Problem) -> Response:
    """`problem` as a page of its own, or as a message above the page that asked through htmx."""
    slug = problem.type.rpartition(":")[2]
    next_step = _NEXT.get(slug, problem.next_step)
    if not hasattr(request.state, "visit"):
        return PlainTextResponse(f"{problem.detail}\n", problem.status)
    template = "problem_part.html" if is_fragment(request) else "problem.html"
    answer = page(
        request,
        template,
        status=problem.status,
        heading=_TITLES.get(problem.status, "Something went wrong"),
        problem=problem,
        next_step=next_step,
        back=local_path(request.headers.get("referer")),
    )
    if is_fragment(request):
        answer.headers.update({"HX-Retarget": "#messages", "HX-Reswap": "innerHTML"})
    if problem.status in {429, 503}:
        answer.headers["Retry-After"] = RETRY_AFTER_S
    return answer


def _to_sign_in(request: Request, error: SignInFirst) -> Response:
    """And back to where the reader was: after a form, to the page that it was on."""
    posted = request.method == "POST"
    if visit_of(request).session.token or posted:
        say(request, f"{error.detail}{'; nothing was done' if posted else ''}", "note")
    there = request.headers.get("referer") if posted or is_fragment(request) else str(request.url)
    path = f"{SIGN_IN}?next={quote(local_path(there))}"
    if is_fragment(request):
        return Response(status_code=401, headers={"HX-Redirect": path})
    return RedirectResponse(path, 303)


def local_path(url: str | None) -> str:
    """The path and query of a page of the desk; home for anything else, so that nobody is sent to another site."""
    parts = urlsplit(url or "")
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    plain = path.isascii() and path.isprintable() and "\\" not in path and "//" not in parts.path
    return path if plain and parts.path.startswith(HOME) and not parts.path.startswith(SIGN_IN) else HOME
