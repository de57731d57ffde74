"""How an approved invoice reads in a Beancount journal: a receivable per customer against sales per motion."""

import hashlib
import re
from collections.abc import Iterable
from typing import Final

from billing.intent import canonical_hash
from connectors.ports import Posting

BEGIN: Final = "; billhook begin"
END: Final = "; billhook end"
HEADER: Final = (
    'option "title" "Billhook"\n'
    "; Written by Billhook as invoices are approved. Add what you like below or in a file that includes this one;\n"
    "; leave what stands between a begin and an end mark as it is.\n"
)
_EPOCH: Final = "1970-01-01"
# Accounts and commodities are open from before anything that can be posted to them.
_PLAIN: Final = re.compile(r"[a-z0-9][a-z0-9-]*")
_NOT_ACCOUNT: Final = re.compile(r"[^A-Za-z0-9-]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")
_NARRATION: Final = 200


def receivable(customer_id: str) -> str:
    """The customer's receivable account."""
    return f"Assets:Receivable:{_component(customer_id)}"


def sales(motion: str) -> str:
    """The income account of a motion."""
    return f"Income:Sales:{_component(motion)}"


def directives(posting: Posting) -> list[tuple[str, str]]:
    """What must stand before the posting, once per journal: (account or commodity, its line)."""
    currency = posting.total.currency
    accounts = (receivable(posting.customer_id), sales(posting.motion))
    opens = [(account, f"{_EPOCH} open {account}\n") for account in accounts]
    return [(currency, f"{_EPOCH} commodity {currency}\n"), *opens]


def transaction(posting: Posting, before: Iterable[str]) -> str:
    """The whole block, marks included, with the directives `before` it."""
    major, currency = posting.total.major, posting.total.currency
    return (
        f"\n{BEGIN} {posting.key} {digest(posting)}\n"
        f"{''.join(before)}"
        f"{posting.approved_on.isoformat()} * {_quoted(posting.customer_name)} {_quoted(_narration(posting))}\n"
        f"  billhook_key: {_quoted(posting.key)}\n"
        f"  billhook_customer: {_quoted(posting.customer_id)}\n"
        f"  billhook_external_id: {_quoted(posting.external_id)}\n"
        f"  {receivable(posting.customer_id)}  {major:f} {currency}\n"
        f"  {sales(posting.motion)}  {-major:f} {currency}\n"
        f"{END} {posting.key}\n"
    )


def digest(posting: Posting) -> str:
    """What makes two postings of one key the same: whom, how much and when, not the words."""
    content = {
        "customer": posting.customer_id,
        "motion": posting.motion,
        "total": posting.total.minor,
        "currency": posting.total.currency,
        "on": posting.approved_on.isoformat(),
    }
    return canonical_hash(content)[:16]


def _component(name: str) -> str:
    """`name` as part of an account. What Beancount's alphabet cannot tell apart is told apart by a hash."""
    cleaned = _NOT_ACCOUNT.sub("-", name).strip("-") or "X"
    spelled = cleaned[0].upper() + cleaned[1:]
    if _PLAIN.fullmatch(name):
        return spelled
    return f"{spelled}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _narration(posting: Posting) -> str:
    words = "; ".join(line.description for line in posting.lines) or posting.motion
    return words if len(words) <= _NARRATION else words[: _NARRATION - 1] + "…"


def _quoted(text: str) -> str:
    """A Beancount string; nothing in it can end it or begin a line."""
    plain = _CONTROL.sub(" ", text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'
