"""What earlier recipients gave goes onto the next invoice: five fields, nothing else, and never an older value."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.ownership import RECIPIENT_FIELDS, Carry
from records.customers import carry_forward, given_fields, store_recipient_fields
from records.session import Database
from tests.records.make import AT, with_customer

GIVEN: dict[str, Any] = {
    "po_number": "PO-1",
    "billing_entity": "Acme Holding",
    "address": {"line1": "1 Quay", "city": "Oslo"},
    "ap_contact": {"name": "Ida", "email": "ida@acme.example"},
    "tax_id": "NO 912",
}


async def told(db: Database, scope: str, at: datetime, **fields: Any) -> None:
    async with db.transaction() as s:
        await store_recipient_fields(s, "acme", scope, {name: (value, at) for name, value in fields.items()})


async def carried(db: Database, scope: str, carry: Carry = Carry.CUSTOMER) -> dict[str, Any]:
    async with db.session() as s:
        return await carry_forward(s, "acme", scope, carry)


def test_these_are_the_fields_that_a_recipient_owns() -> None:
    assert set(RECIPIENT_FIELDS) == set(GIVEN)


@pytest.mark.parametrize("field", sorted(GIVEN))
async def test_each_field_goes_onto_the_customer_s_next_invoice_and_no_other_with_it(db: Database, field: str) -> None:
    await with_customer(db)
    assert await carried(db, "sub_2") == {}
    await told(db, "sub_1", AT, **{field: GIVEN[field]})
    assert await carried(db, "sub_2") == {field: GIVEN[field]}
    async with db.session() as s:
        assert await carry_forward(s, "somebody else", "sub_2", Carry.CUSTOMER) == {}


@pytest.mark.parametrize(
    ("carry", "same", "other"),
    [(Carry.CUSTOMER, "PO-1", "PO-1"), (Carry.SOURCE, "PO-1", None), (Carry.NEVER, None, None)],
)
async def test_carry_po_says_how_far_a_po_number_goes_and_nothing_of_the_rest(
    db: Database, carry: Carry, same: str | None, other: str | None
) -> None:
    await with_customer(db)
    await told(db, "sub_1", AT, **GIVEN)
    rest = {name: value for name, value in GIVEN.items() if name != "po_number"}
    for scope, po in (("sub_1", same), ("sub_2", other)):
        assert await carried(db, scope, carry) == rest | ({"po_number": po} if po else {})


async def test_a_po_number_of_one_source_is_not_taken_by_another_for_its_own(db: Database) -> None:
    await with_customer(db)
    await told(db, "sub_1", AT, po_number="PO-1")
    await told(db, "sub_2", AT + timedelta(days=1), po_number="PO-2")
    assert (await carried(db, "sub_1", Carry.SOURCE)) == {"po_number": "PO-1"}
    assert (await carried(db, "sub_1", Carry.CUSTOMER)) == {"po_number": "PO-2"}


@pytest.mark.parametrize("field", sorted(GIVEN))
@pytest.mark.parametrize("emptied", ["", None, {}])
async def test_a_field_that_the_recipient_emptied_is_not_given_any_more(db: Database, field: str, emptied: Any) -> None:
    await with_customer(db)
    await told(db, "sub_1", AT, **{field: GIVEN[field]})
    await told(db, "sub_1", AT + timedelta(days=1), **{field: emptied})
    assert await carried(db, "sub_1") == {}


@pytest.mark.parametrize("field", sorted(GIVEN))
async def test_an_older_value_that_comes_later_is_not_the_one_that_is_carried(db: Database, field: str) -> None:
    await with_customer(db)
    newer = AT + timedelta(microseconds=1)
    await told(db, "sub_2", newer, **{field: GIVEN[field]})
    await told(db, "sub_1", AT, **{field: "OLD"})
    for scope in ("sub_2", "sub_3"):
        assert await carried(db, scope) == {field: GIVEN[field]}
        if field == "po_number":
            assert await carried(db, "sub_1", Carry.SOURCE) == {field: "OLD"}
    async with db.session() as s:
        assert await given_fields(s, "acme", [field]) == {field: GIVEN[field]}


WRITES = st.lists(
    st.tuples(st.sampled_from(["sub_1", "sub_2"]), st.sampled_from(RECIPIENT_FIELDS)), min_size=1, max_size=12
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(WRITES, st.randoms(use_true_random=False))
async def test_in_whatever_order_they_come_the_newest_value_of_each_field_stands(
    db: Database, writes: list[tuple[str, str]], random: Any
) -> None:
    """Each write later than the one before it; told in any order, some of them twice."""
    await with_customer(db)
    begun = datetime.now(AT.tzinfo)
    # After every earlier example's: this database is the same.
    timed = [(begun + timedelta(microseconds=n), *one, f"{begun}-{n}") for n, one in enumerate(writes)]
    for at, scope, field, value in random.sample(timed * 2, len(timed) * 2):
        await told(db, scope, at, **{field: value})
    newest = {field: value for _, _, field, value in timed}
    found = await carried(db, "sub_9")
    assert {name: found[name] for name in newest} == newest
    here = [value for _, scope, field, value in timed if (scope, field) == ("sub_1", "po_number")]
    if here:
        assert (await carried(db, "sub_1", Carry.SOURCE))["po_number"] == here[-1]
