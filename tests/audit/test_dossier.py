"""A dossier is whole as it was written; whatever is changed in it afterwards is found, and found where it was done."""

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.dossier import build, chain, json_line, rendered
from audit.dossier_check import Broken, verify
from billing.decisions import Action, Decision
from billing.intent import Commercial, Intent, Line, Motion, Source, canonical_hash
from billing.trail import chained, decision_body, genesis
from records.papers import Papers, read_papers
from records.session import Database
from records.tables import (
    AssessmentRow,
    CallRow,
    CaseRow,
    ContentRow,
    DecisionRow,
    EntryRow,
    EventRow,
    IntentRow,
    InvoiceRow,
    MailRow,
    TrailRow,
)
from tests.audit.tampered import Books

_AT = datetime(2026, 11, 2, 9, 0, 0, 123456, tzinfo=UTC)
_KEY = "invoice:project_1:milestone_3"
_SECRET = "https://pages.example/i/token"
_NUMBER = "INV-00004"


def _commercial(price: str, description: str = "Entwurf für Müller") -> Commercial:
    return Commercial(
        currency="EUR", lines=(Line(description=description, quantity=Decimal(1), unit_price=Decimal(price)),)
    )


def _decision(action: Action, minutes: int, **changes: Any) -> Decision:
    values = {"at": _AT + timedelta(minutes=minutes), "action": action, "actor": "dana", "revision": "r", "note": "ok"}
    return Decision.model_validate({**values, "result_revision": "r", **changes})


_EVENT = {
    "id": "evt_1", "type": "invoice.viewed", "created_at": "2026-11-02T10:00:00Z",
    "data": {"invoice_id": "inv_1", "reference": _KEY, "version": 1, "number": _NUMBER},
}  # fmt: skip


def papers() -> Papers:
    """An invoice that has lived: edited, approved by two, asked about, looked at."""
    intent = Intent(
        key=_KEY, motion=Motion.MILESTONE, customer_id="acme", commercial=_commercial("30000"),
        source=Source(event_id="e1", occurred_at=_AT, scope="project_1", triggered_by="crm"),
    )  # fmt: skip
    edited = _commercial("29000")
    decisions = [_decision(Action.APPROVE, 1), _decision(Action.APPROVE, 2, actor="mia", note='<b>x</b>\u2028"')]
    found = Papers(
        IntentRow(
            key=_KEY, motion="milestone", customer_id="acme", scope="project_1", payload_hash=intent.payload_hash,
            payload=intent.model_dump_json(), currency="EUR", total_minor=3000000, created_at=_AT,
        ),
        InvoiceRow(
            key=_KEY, sequence=9, status="viewed", total_minor=2900000, currency="EUR", version=1,
            revision=edited.revision(1), external_id="inv_1", link=_SECRET, waiting_for=f"{_NUMBER} is locked",
            recipient={"po_number": "PO 1"}, issued=True, updated_at=_AT,
        ),
    )  # fmt: skip
    found.contents = [
        ContentRow(
            key=_KEY, revision=edited.revision(1), version=1, total_minor=2900000, made_at=_AT, made_by="dana",
            commercial=edited.model_dump(mode="json"), issued_at=_AT,
        )
    ]  # fmt: skip
    body = {"automatic": False, "policy_hash": "p1", "inputs": {"threshold": "25000.00"}, "reasons": []}
    found.assessments = [AssessmentRow(key=_KEY, revision=edited.revision(1), body=body, assessed_at=_AT)]
    prev = genesis(_KEY, intent.payload_hash)
    for place, one in enumerate(decisions, start=1):
        fields = one.model_dump() | {"key": _KEY, "action": one.action.value, "position": place}
        found.decisions.append(DecisionRow(**fields))
        entry = chained(place, one.at, "decision", one.actor, decision_body(one), prev)
        found.trail.append(TrailRow(key=_KEY, **entry.model_dump()))
        prev = entry.hash
    found.cases = [
        CaseRow(
            key=_KEY, id="cr_1", sequence=3, version=1, opened_at=_AT, deadline=_AT, owner="mia", status="open",
            message="=cmd|' /C calc'!A0 \x1b[31m", proposed={"x": float("nan"), "y": [1.5, "ü"]}, answer="",
        )
    ]  # fmt: skip
    found.calls = [
        CallRow(
            key=_KEY, position=1, step="create_draft", at=_AT, system="jupiter", method="POST", path="/invoices",
            status=201, step_key=f"{_KEY}:create", replayed=False,
        )
    ]  # fmt: skip
    found.mails = [MailRow(key=_KEY, version=1, kind="link", step_key="k", addressee="ap@acme.example", claimed_at=_AT)]
    found.events = [
        EventRow(
            id="evt_1", source="jupiter", type="invoice.viewed", invoice_id="inv_1", reference=_KEY, lane=_KEY,
            created_at=_AT, received_at=_AT, raw=json.dumps(_EVENT).encode(), fate="applied", stated_by=4,
        )
    ]  # fmt: skip
    issued = EntryRow(
        key=_KEY, position=1, at=_AT, kind="issued", actor="billhook", text="V1 issued over 29,000.00 EUR"
    )
    found.entries = [issued]
    return found


_WHOLE = build(papers())
_KINDS = ["trigger", "state", "content", "assessment", "decision", "decision", "trail", "trail", "case", "call",
          "mail", "event", "fold"]  # fmt: skip


def test_the_same_rows_give_the_same_bytes_and_they_are_whole() -> None:
    assert build(papers()) == _WHOLE
    found = verify(_WHOLE)
    assert found.key == _KEY
    assert found.counts == {kind: _KINDS.count(kind) for kind in _KINDS}
    assert found.trail_head == papers().trail[-1].hash
    assert [entry["kind"] for entry in json.loads(_WHOLE)["entries"]] == _KINDS


def test_it_holds_no_number_no_pdf_and_no_way_onto_the_recipients_page() -> None:
    for kept_out in (_NUMBER, "pdf", _SECRET):
        assert kept_out not in _WHOLE.decode()


def test_every_byte_that_is_flipped_is_found() -> None:
    """Every one of them, by its lowest bit; the next test takes any change anywhere."""
    for place in range(len(_WHOLE)):
        spoilt = bytearray(_WHOLE)
        spoilt[place] ^= 1
        with pytest.raises(Broken):
            verify(bytes(spoilt))


@settings(max_examples=400, deadline=None)
@given(place=st.integers(0, len(_WHOLE) - 1), byte=st.integers(0, 255), how=st.sampled_from(["flip", "insert", "cut"]))
def test_any_byte_flipped_inserted_or_cut_is_found(place: int, byte: int, how: str) -> None:
    before, at, after = _WHOLE[:place], _WHOLE[place : place + 1], _WHOLE[place + 1 :]
    spoilt = {"flip": before + bytes([byte]) + after, "insert": before + bytes([byte]) + at + after}.get(how)
    spoilt = before + after if spoilt is None else spoilt
    if spoilt != _WHOLE:
        with pytest.raises(Broken):
            verify(spoilt)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["format", "key", "entries", "counts", "head", "trail_head", "place", "kind", "body"]), inner),
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_nothing_that_is_no_dossier_is_taken_for_one_or_makes_it_stumble(data: bytes) -> None:
    with pytest.raises(Broken):
        verify(data)


def _lines(change: Callable[[list[bytes]], object]) -> bytes:
    lines = _WHOLE.split(b"\n")
    change(lines)
    return b"\n".join(lines)


def _swap(lines: list[bytes]) -> None:
    lines[3], lines[4] = lines[4], lines[3]


@pytest.mark.parametrize(
    ("spoilt", "where", "why"),
    [
        (_WHOLE.replace(b'"actor":"dana"', b'"actor":"dona"', 1), "entry 5 (decision)", "was changed"),
        (_WHOLE.replace(b'"sequence":9', b'"sequence": 9'), "entry 2 (state)", "not spelt"),
        (_WHOLE.replace(b'"EUR"', b'"\\u0045UR"', 1), "entry 1 (trigger)", "not spelt"),
        (_WHOLE.replace("ü".encode(), b"\\u00fc", 1), "entry 1 (trigger)", "not spelt"),
        (_lines(lambda lines: lines.pop(4)), "entry 5 (decision)", "stands in place 4"),
        (_lines(lambda lines: lines.insert(4, lines[4])), "entry 4 (assessment)", "stands in place 5"),
        (_lines(_swap), "entry 4 (assessment)", "stands in place 3"),
        (_lines(lambda lines: lines.insert(2, b"")), "entry 2 (state)", "not spelt"),
        (_WHOLE + b"\n", "the end", "not spelt"),
        (_WHOLE[:-1], "the end", "not spelt"),
        (b"\xef\xbb\xbf" + _WHOLE, "line 1", "no JSON"),
        (_WHOLE.replace(b'"entries":[', b'"entries":[,'), "line 1", "no JSON"),
        (_lines(lambda lines: lines.__setitem__(3, lines[3][:-2])), "line 5", "no JSON"),
        (_lines(lambda lines: lines.__setitem__(3, lines[3] + b"\xff")), "line 4", "no UTF-8"),
        (_WHOLE.replace(_KEY.encode(), b"invoice:project_1:milestone_4", 1), "entry 1 (trigger)", "does not follow"),
        (_WHOLE.replace(b'"counts":{', b'"counts":{"x":1,'), "the last line, 15", "counts"),
        (_WHOLE.replace(b"billhook-dossier/1", b"billhook-dossier/2"), "line 1", "this version reads"),
        (b"[" * 100_000, "the file", "no JSON that can be read"),
    ],
)
def test_what_was_changed_is_named(spoilt: bytes, where: str, why: str) -> None:
    with pytest.raises(Broken) as found:
        verify(spoilt)
    assert found.value.where == where
    assert why in found.value.why


def test_the_last_entry_cannot_go_without_being_missed() -> None:
    lines = _WHOLE.split(b"\n")
    del lines[len(_KINDS)]
    lines[len(_KINDS) - 1] = lines[len(_KINDS) - 1].rstrip(b",")
    with pytest.raises(Broken, match="the last line"):
        verify(b"\n".join(lines))


def _forged(change: Callable[[list[dict[str, Any]]], object], trail_head: str = "") -> bytes:
    """All hashes made anew after the change, as one would who does not keep to the form alone."""
    whole = json.loads(_WHOLE)
    entries = deepcopy(whole["entries"])
    change(entries)
    again = chain(_KEY, [(entry["kind"], entry["body"]) for entry in entries])
    return rendered(_KEY, again, trail_head or whole["trail_head"])


def _body(entries: list[dict[str, Any]], kind: str) -> Any:
    return next(entry["body"] for entry in entries if entry["kind"] == kind)


@pytest.mark.parametrize(
    ("forged", "where", "why"),
    [
        (_forged(lambda found: _body(found, "decision").update(note="no")), "entry 5 (decision)", "no such decision"),
        (_forged(lambda found: _body(found, "trail").update(actor="mallory")), "the trail", "entry 1 .* was changed"),
        (_forged(lambda found: found.pop(6)), "the trail", "entry 2 stands in place 1"),
        (_forged(lambda found: found.pop(7)), "the last line, 14", "trail_head"),
        (_forged(lambda _: None, "0" * 64), "the last line, 15", "trail_head"),
        (
            _forged(lambda found: _body(found, "content")["commercial"].update(payment_terms="net_90")),
            "entry 3 (content)",
            "not the hash of its content",
        ),
        (
            _forged(lambda found: _body(found, "trigger")["payload"].update(customer_id="globex")),
            "entry 1 (trigger)",
            "not the hash of its payload",
        ),
        (_forged(lambda found: found.pop(0)), "entry 1", "the trigger is not the first"),
        (_forged(lambda found: _body(found, "content").pop("version")), "the file", "lacks"),
        (_forged(lambda found: found[2].update(body=[])), "the file", "lacks"),
        (_forged(lambda found: found[6].update(body="x")), "entry 7 (trail)", "no entry of a trail"),
    ],
)
def test_entries_that_contradict_each_other_are_found_though_every_hash_was_made_anew(
    forged: bytes, where: str, why: str
) -> None:
    with pytest.raises(Broken, match=why) as found:
        verify(forged)
    assert found.value.where == where


def test_a_line_of_a_dossier_is_json_in_one_spelling() -> None:
    assert json_line({"b": [1, "ü"], "a": None}) == '{"a":null,"b":[1,"ü"]}'
    assert canonical_hash({"a": 1, "b": 2}) == canonical_hash({"b": 2, "a": 1})


async def test_the_dossiers_of_invoices_that_went_every_path_are_whole(books: Books) -> None:
    database = Database(f"sqlite:///{books.records}")
    try:
        async with database.session() as session:
            found = await read_papers(session, list(books.keys.values()), Papers)
    finally:
        await database.close()
    numbers = [one["number"] for one in books.truth["invoices"] if one["number"]]
    assert len(found) == len(books.keys)
    for one in found:
        content = build(one)
        whole = verify(content)
        assert whole.key == one.key
        assert whole.counts.get("decision", 0) == len(one.decisions) <= whole.counts.get("trail", 0)
        assert not [number for number in numbers if number in content.decode()]
        assert "/i/" not in content.decode()
