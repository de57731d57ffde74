"""Each invariant, broken in books that were sound: the audit finds it and its evidence names the key."""

import copy
import re
from collections.abc import Callable
from email.message import Message

import pytest

from tests.audit.tampered import Books

Spoil = Callable[[Books], None]
SPOILED: list[tuple[str, str, str, Spoil]] = []


def breaks(invariant: str, path: str, evidence: str) -> Callable[[Spoil], Spoil]:
    """The spoiled books break `invariant` at the invoice of `path`; `evidence` is a pattern of what is said."""

    def keep(spoil: Spoil) -> Spoil:
        SPOILED.append((invariant, path, evidence, spoil))
        return spoil

    return keep


@breaks("I1", "automatic", r"2 issued invoices at the API")
def a_second_issued_invoice_of_one_key(books: Books) -> None:
    second = copy.deepcopy(books.remote("automatic"))
    books.truth["invoices"].append(second | {"id": "inv_second", "number": "INV-00009", "status": "sent"})


@breaks("I1", "edited", r"at the API is invoice:\S+ too|'s too")
def two_keys_that_stand_for_one_invoice(books: Books) -> None:
    books.sql(
        "UPDATE invoices SET external_id = ? WHERE key = ?", books.remote("edited")["id"], books.keys["automatic"]
    )
    books.sql("UPDATE invoices SET external_id = ? WHERE key = ?", books.remote("edited")["id"], books.keys["edited"])


@breaks("I2", "", r"no invoice has this number")
def a_number_that_no_invoice_has(books: Books) -> None:
    third = next(one for one in books.truth["invoices"] if (one["number"] or "").endswith("00003"))
    books.truth["invoices"].remove(third)


@breaks("I2", "", r"contiguous: False")
def a_gap_that_only_the_survey_sees(books: Books) -> None:
    books.truth["numbers"] |= {"contiguous": False, "missing": [9], "last": 9}


@breaks("I2", "edited", r"issued and has no number")
def an_issued_invoice_without_a_number(books: Books) -> None:
    books.remote("edited")["number"] = None


@breaks("I2", "edited", r"one number for several invoices")
def one_number_twice(books: Books) -> None:
    books.remote("edited")["number"] = books.remote("automatic")["number"]


@breaks("I3", "automatic", r"nothing was cleared")
def an_issue_without_an_assessment(books: Books) -> None:
    books.sql("DELETE FROM assessments WHERE key = ?", books.keys["automatic"])


@breaks("I3", "automatic", r"nothing was cleared")
def an_issue_although_the_policy_wanted_a_person(books: Books) -> None:
    books.sql(
        "UPDATE assessments SET body = json_set(body, '$.automatic', json('false')) WHERE key = ?",
        books.keys["automatic"],
    )


@breaks("I3", "edited", r"as revision \w+; cleared are \w+ by dana")
def an_approval_of_what_was_seen_before_the_edit(books: Books) -> None:
    books.sql("UPDATE decisions SET result_revision = revision WHERE key = ?", books.keys["edited"])


@breaks("I3", "second_version", r"versions \[1, 2\] and 1 revisions were cleared|nothing was cleared|V2")
def a_next_version_that_nobody_decided_on(books: Books) -> None:
    books.sql("DELETE FROM decisions WHERE key = ? AND action = 'approve'", books.keys["second_version"])


@breaks("I3", "edited", r"its trail of \d+ entries is not whole: entry 1 \(approve by dana\) was changed")
def a_trail_that_somebody_wrote_over(books: Books) -> None:
    books.sql(
        "UPDATE trail SET body = json_set(body, '$.note', 'as ordered') WHERE key = ? AND position = 1",
        books.keys["edited"],
    )


@breaks("I3", "rejected", r"its trail of 0 entries does not hold reject by dana")
def a_trail_that_was_thrown_away(books: Books) -> None:
    books.sql("DELETE FROM trail WHERE key = ?", books.keys["rejected"])


@breaks("I3", "edited", r"its trail has approve by dana in place \d+, and no decision on record says so")
def a_decision_that_was_taken_off_the_record(books: Books) -> None:
    books.sql("DELETE FROM decisions WHERE key = ? AND action = 'approve'", books.keys["edited"])


@breaks("I3", "edited", r"by dana of 2 needed")
def one_approval_where_two_were_needed(books: Books) -> None:
    books.sql(
        "UPDATE assessments SET body = json_set(body, '$.approvals_needed', 2) WHERE key = ?", books.keys["edited"]
    )


@breaks("I4", "automatic", r"was approved at \S+, the record says sent")
def a_billed_invoice_set_back_to_sent(books: Books) -> None:
    books.sql("UPDATE invoices SET status = 'sent' WHERE key = ?", books.keys["automatic"])


@breaks("I4", "automatic", r"was approved at \S+, the record says cancelled")
def an_approved_invoice_that_ended_cancelled(books: Books) -> None:
    books.sql("UPDATE invoices SET status = 'cancelled' WHERE key = ?", books.keys["automatic"])


@breaks("I4", "automatic", r"po_number is OLD in the record; the events in order give PO invoice")
def an_older_amendment_that_won(books: Books) -> None:
    books.sql("""UPDATE invoices SET recipient = '{"po_number": "OLD"}' WHERE key = ?""", books.keys["automatic"])


@breaks("I4", "automatic", r"in order it is applied")
def a_fate_that_the_order_does_not_give(books: Books) -> None:
    approval = books.event("automatic", "approved")["id"]
    books.sql("UPDATE events SET fate = 'ignored', reason = 'too late' WHERE id = ?", approval)


@breaks("I4", "edited", r"some are missing")
def a_line_that_vanished_from_the_timeline(books: Books) -> None:
    books.sql("DELETE FROM entries WHERE key = ? AND position = 2", books.keys["edited"])


@breaks("I5", "automatic", r"the API has our 2xx for it and our records do not hold it")
def an_event_that_vanished(books: Books) -> None:
    books.sql("DELETE FROM events WHERE id = ?", books.event("automatic", "viewed")["id"])


@breaks("I5", "automatic", r"is ignored without a reason")
def an_event_ignored_without_a_reason(books: Books) -> None:
    books.sql("UPDATE events SET reason = '' WHERE id = ?", books.event("automatic", "sent")["id"])


@breaks("I5", "automatic", r"delivered at attempt \d+; the invoice is billed, its fate open")
def an_event_whose_fate_an_ended_workflow_never_told(books: Books) -> None:
    books.sql(
        "UPDATE events SET fate = 'delivered', stated_by = NULL WHERE id = ?", books.event("automatic", "viewed")["id"]
    )


@breaks("I5", "automatic", r"waits since")
def an_event_that_nobody_takes_up(books: Books) -> None:
    books.sql(
        "UPDATE events SET fate = 'pending', stated_by = NULL, received_at = '2020-01-01 00:00:00' WHERE id = ?",
        books.event("automatic", "viewed")["id"],
    )


@breaks("I5", "waiting", r"waits since")
def an_event_of_a_running_invoice_that_nobody_takes_up(books: Books) -> None:
    books.sql(
        "INSERT INTO events (id, source, type, invoice_id, reference, created_at, received_at, raw, fate, reason,"
        " attempts) VALUES ('evt_old', 'jupiter', 'invoice.viewed', 'inv_x', ?, '2026-11-01 00:00:00',"
        " '2026-11-01 00:00:00', ?, 'pending', '', 0)",
        books.keys["waiting"], b"{}",
    )  # fmt: skip


@breaks("I5", "waiting", r"the API never sent it")
def a_forged_event_that_was_taken(books: Books) -> None:
    forged = '{"id": "evt_forged", "type": "invoice.approved", "created_at": "2026-11-01T00:00:00Z",'
    forged += f' "data": {{"invoice_id": "inv_x", "reference": "{books.keys["waiting"]}", "version": 1}}}}'
    books.sql(
        "INSERT INTO events (id, source, type, invoice_id, reference, created_at, received_at, raw, fate, reason,"
        " attempts) VALUES ('evt_forged', 'jupiter', 'invoice.approved', 'inv_x', ?, '2026-11-01 00:00:00',"
        " '2026-11-01 00:00:00', ?, 'quarantined', 'why', 1)",
        books.keys["waiting"], forged.encode(),
    )  # fmt: skip


@breaks("I5", "automatic", r"we hold .*approved.*, the API sent .*viewed")
def an_event_whose_content_was_changed_on_its_way(books: Books) -> None:
    viewed = books.event("automatic", "viewed")["id"]
    raw = books.one("SELECT raw FROM events WHERE id = ?", viewed).replace(b"invoice.viewed", b"invoice.approved")
    books.sql("UPDATE events SET raw = ? WHERE id = ?", raw, viewed)


@breaks("I6", "cancelled", r"follow-up to ap@acme.example claimed at \S+, after invoice.viewed")
def a_follow_up_after_the_view(books: Books) -> None:
    _follow_up(books, "cancelled", "+1 day")


@breaks("I6", "automatic", r"invoice.approved")
def a_follow_up_after_the_approval(books: Books) -> None:
    books.sql("DELETE FROM events WHERE id = ?", books.event("automatic", "viewed")["id"])
    _follow_up(books, "automatic", "+1 day")


def _follow_up(books: Books, path: str, later: str) -> None:
    key = books.keys[path]
    books.sql(
        "INSERT INTO mails (key, version, kind, step_key, addressee, claimed_at, sent_at)"
        " SELECT key, version, 'follow_up', key || ':mail-follow_up:v1', addressee, datetime(claimed_at, ?), sent_at"
        " FROM mails WHERE key = ? AND kind = 'link'",
        later, key,
    )  # fmt: skip


@breaks("I7", "automatic", r"12,500.01 USD, the record says 12,500.00 USD")
def a_cent_too_much_in_the_journal(books: Books) -> None:
    block = re.search(rf"; billhook begin {books.keys['automatic']} .*?; billhook end", books.journal, re.DOTALL)
    assert block
    books.journal = books.journal.replace(block[0], block[0].replace("12500.00", "12500.01"))


@breaks("I7", "", r"bean-check: .*does not balance")
def a_journal_that_does_not_balance(books: Books) -> None:
    books.journal = books.journal.replace("-20000 JPY", "-20001 JPY")


@breaks("I7", "edited", r"the API's lines less discount are 2775000, its total says 2775001")
def a_cent_too_much_at_the_api(books: Books) -> None:
    books.remote("edited")["total_cents"] += 1


@breaks("I7", "second_version", r"V2: the API's total is 27,000.51 USD, ours is 27,000.50 USD")
def a_version_with_another_total_at_the_api(books: Books) -> None:
    books.remote("second_version")["versions"][1]["total_cents"] += 1


@breaks("I7", "automatic", r"lines of revision \w+ less discount are 12,500.00 USD, the record says 12,500.01 USD")
def a_cent_too_much_in_the_record(books: Books) -> None:
    books.sql("UPDATE invoices SET total_minor = total_minor + 1 WHERE key = ?", books.keys["automatic"])


@breaks("I7", "automatic", r"deal deal_1 says 12,499.99 USD")
def a_cent_too_little_in_the_crm(books: Books) -> None:
    books.sql("UPDATE deals SET total_minor = total_minor - 1 WHERE key = ?", books.keys["automatic"])


@breaks("I7", "other_currencies", r"20,000 JPY, its row says 20,001 JPY")
def a_yen_too_much_in_the_intent(books: Books) -> None:
    books.sql("UPDATE intents SET total_minor = total_minor + 1 WHERE key = ?", books.keys["other_currencies"])


@breaks("I8", "automatic", r"billed as V1; the API has .*viewed")
def a_billed_invoice_that_nobody_approved(books: Books) -> None:
    remote = books.remote("automatic")
    remote |= {"status": "viewed", "approved_at": None}
    remote["versions"][0]["approved_at"] = None


@breaks("I8", "second_version", r"billed as V2; the API has .* V3")
def an_approval_of_a_version_that_is_not_current(books: Books) -> None:
    books.remote("second_version")["version"] = 3


@breaks("I8", "cancelled", r"approved at the API as .*, and cancelled here")
def an_approved_invoice_that_is_not_billed(books: Books) -> None:
    books.remote("cancelled")["status"] = "approved"


@breaks("I8", "automatic", r"the journal has 0 entries")
def a_billed_invoice_without_a_posting(books: Books) -> None:
    books.journal = books.journal.replace(f"begin {books.keys['automatic']} ", "begin ").replace(
        f'billhook_key: "{books.keys["automatic"]}"', "note: 1"
    )


@breaks("I8", "cancelled", r"cancelled, and the journal has 1 entries")
def a_posting_of_a_cancelled_invoice(books: Books) -> None:
    books.journal += (
        f'\n; billhook begin {books.keys["cancelled"]} abc\n2026-11-01 * "Acme" "x"\n'
        f'  billhook_key: "{books.keys["cancelled"]}"\n'
        "  Assets:Receivable:Acme  12500.00 USD\n  Income:Sales:Milestone  -12500.00 USD\n"
        f"; billhook end {books.keys['cancelled']}\n"
    )


@breaks("I8", "automatic", r"deals marked billed: none")
def a_deal_that_was_not_marked(books: Books) -> None:
    books.sql("DELETE FROM deals WHERE key = ?", books.keys["automatic"])


@breaks("I9", "second_version", r"without an owner")
def a_case_that_is_nobodys(books: Books) -> None:
    books.sql("UPDATE cases SET status = 'open', owner = ' ' WHERE key = ?", books.keys["second_version"])


@breaks("I9", "declined", r"deadline 2020-01-01")
def a_case_whose_deadline_is_before_it_was_opened(books: Books) -> None:
    books.sql(
        "UPDATE cases SET status = 'open', deadline = '2020-01-01 00:00:00' WHERE key = ?", books.keys["declined"]
    )


@breaks("I9", "declined", r"remind_at 2100\S+ is after deadline")
def a_case_whose_reminder_comes_after_its_deadline(books: Books) -> None:
    books.sql("UPDATE cases SET remind_at = '2100-01-01 00:00:00' WHERE key = ?", books.keys["declined"])


@breaks("I7", "edited", r"the content on record as revision \w+ is another")
def a_content_on_record_that_was_written_over(books: Books) -> None:
    books.sql(
        "UPDATE contents SET commercial = json_set(commercial, '$.payment_terms', 'net_90')"
        " WHERE key = ? AND commercial IS NOT NULL",
        books.keys["edited"],
    )


@breaks("I9", "declined", r"nobody can answer it")
def a_case_left_open_at_the_end(books: Books) -> None:
    books.sql("UPDATE cases SET status = 'open' WHERE key = ?", books.keys["declined"])


@breaks("I10", "", r"no row of ours claims it")
def a_mail_that_no_row_stands_for(books: Books) -> None:
    mail = Message()
    mail["Message-ID"], mail["To"], mail["Subject"] = "<0123@localhost>", "ap@acme.example", "Your invoice"
    books.mails.append(mail)


@breaks("I10", "automatic", r"went out under the step")
def a_mail_under_a_step_of_its_own(books: Books) -> None:
    books.sql("UPDATE mails SET step_key = step_key || ':again' WHERE key = ?", books.keys["automatic"])


@breaks("I10", "automatic", r"mailed the link 1 times and we 1 times")
def a_link_that_both_the_api_and_we_mailed(books: Books) -> None:
    books.remote("automatic")["mailed"] = 1


@pytest.mark.parametrize(
    ("invariant", "path", "evidence", "spoil"), SPOILED, ids=[f"{one[0]}-{one[3].__name__}" for one in SPOILED]
)
async def test_the_audit_finds(books: Books, invariant: str, path: str, evidence: str, spoil: Spoil) -> None:
    spoil(books)
    found = await books.found(invariant)
    key = books.keys.get(path, "")
    named = [one for one in found if key in f"{one.subject} {one.evidence}" and re.search(evidence, one.evidence)]
    assert named, f"no such violation; found {found}"
    assert all(one.next_step for one in named)
