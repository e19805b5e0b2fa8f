"""What is on a slip finds its transaction; what was approved since a handover is counted once."""

from __future__ import annotations

from pathlib import Path

from posd.ledger.ledger import Ledger
from posd.ledger.records import State
from posd.ledger.search import Counted, Wanted
from protocol import Pan
from tests.posd.ledger.rig import intent
from tests.posd.ledger.test_queries import scans, statements
from tests.posd.terminal.rig import Clerk


def add(ledger: Ledger, stan: str, **changes: object) -> int:
    with ledger.commit("intent"):
        return ledger.transactions.add(intent(stan, **changes))


def approve(ledger: Ledger, identity: int, **columns: object) -> None:
    with ledger.commit("outcome"):
        ledger.transactions.move(identity, [State.OPEN], State.APPROVED, **columns)


def test_a_voucher_number_finds_every_transaction_that_ever_had_it(ledger: Ledger) -> None:
    first = add(ledger, "000012")
    add(ledger, "000013")
    assert [record.id for record in ledger.search.by_voucher("000012")] == [first]
    assert ledger.search.by_voucher("000099") == []


def test_a_reference_finds_its_transaction_only_with_its_date_and_kind(ledger: Ledger) -> None:
    sale = add(ledger, "000012")
    approve(ledger, sale, retrieval_reference="R00000000001", host_date="0601")
    found = ledger.search.by_reference("R00000000001", "0601", {"sale"})
    assert found is not None
    assert found.id == sale
    assert ledger.search.by_reference("R00000000001", "0602", {"sale"}) is None
    assert ledger.search.by_reference("R00000000001", "0601", {"completion"}) is None


def test_an_authorisation_code_finds_the_newest_of_its_date(ledger: Ledger) -> None:
    ids = [add(ledger, stan, kind="pre_authorisation") for stan in ("000012", "000013")]
    for identity in ids:
        approve(ledger, identity, authorisation_code="A1B2C3", host_date="0601")
    found = ledger.search.by_authorisation("A1B2C3", "0601", {"pre_authorisation"})
    assert found is not None
    assert found.id == ids[-1]


def test_the_journal_is_read_from_the_newest_and_back_again(ledger: Ledger) -> None:
    ids = [add(ledger, f"{number:06d}") for number in range(1, 6)]
    everything = Wanted()
    assert [each.id for each in ledger.search.journal(everything, limit=9)] == ids[::-1]
    assert [each.id for each in ledger.search.journal(everything, ids[2], 2)] == ids[2:0:-1]
    newer = ledger.search.newer(everything, ids[2])
    assert newer is not None
    assert newer.id == ids[3]
    assert ledger.search.newer(everything, ids[-1]) is None


def test_the_journal_can_be_that_of_a_card_or_of_an_amount(ledger: Ledger) -> None:
    one = add(ledger, "000001", amount=100)
    other = add(ledger, "000002", amount=200, account_number=Pan("6225000000000022"))
    assert [each.id for each in ledger.search.journal(Wanted(card_end="0022"), limit=9)] == [other]
    assert [each.id for each in ledger.search.journal(Wanted(amount=100), limit=9)] == [one]
    assert ledger.search.newer(Wanted(card_end="0022"), one) is not None
    assert ledger.search.newer(Wanted(amount=100), one) is None


def test_what_was_approved_is_counted_by_operator_and_kind(ledger: Ledger) -> None:
    beginning = ledger.search.last_step()
    for number, operator in enumerate(("01", "01", "02"), start=1):
        approve(ledger, add(ledger, f"{number:06d}", operator=operator, amount=100))
    approve(ledger, add(ledger, "000009", operator="02", amount=500), approved_amount=300)
    add(ledger, "000010")  # without an outcome
    end = ledger.search.last_step()
    assert ledger.search.approved_between(beginning, end) == [
        Counted("01", "sale", 2, 200),
        Counted("02", "sale", 2, 400),
    ]
    assert ledger.search.approved_between(end, end) == []


def test_what_a_void_gave_back_is_not_counted_again(ledger: Ledger) -> None:
    hold = add(ledger, "000001", kind="pre_authorisation")
    approve(ledger, hold)
    handover = ledger.search.last_step()
    with ledger.commit("completed"):
        ledger.transactions.move(hold, [State.APPROVED], State.COMPLETED)
        ledger.transactions.move(hold, [State.COMPLETED], State.APPROVED, {"by": 9})
    assert ledger.search.approved_between(handover, ledger.search.last_step()) == []


def test_no_search_reads_a_table_from_end_to_end(ledger: Ledger) -> None:
    search = ledger.search
    with statements() as seen:
        search.by_voucher("000001")
        search.by_reference("R00000000001", "0601", {"sale"})
        search.by_authorisation("A1B2C3", "0601", {"sale"})
        for wanted in (
            Wanted(),
            Wanted(stan="000001"),
            Wanted(order=1),
            Wanted(card_end="0014"),
            Wanted(amount=1),
        ):
            search.journal(wanted, limit=3)
            search.journal(wanted, 5, 3)
            search.newer(wanted, 1)
        search.last_printed({"merchant", "fault"})
        search.last_step()
        search.approved_between(0, 9)
        ledger.print_jobs.of(1)
    assert len(seen) == 21
    assert scans(ledger, seen) == []


def test_the_dialogues_that_search_read_no_table_from_end_to_end(tmp_path: Path) -> None:
    with statements() as seen, Clerk(tmp_path) as clerk:
        clerk.sign_in()
        sale = clerk.sell()
        clerk.press("确认 2 123456 确认")
        clerk.swipe()
        clerk.press(f"{sale.stan} 确认 5000 确认 确认 确认")
        clerk.take_slips()
        clerk.press("确认 2 123456 确认")
        clerk.swipe()
        clerk.press(f"确认 {sale.retrieval_reference} 确认 {sale.host_date} 确认 取消")
        clerk.press(f"确认 8 1 {sale.stan} 确认 ▼ 确认")
        clerk.wait_for_state("idle.ready")
        clerk.press("确认 8 2 0048 确认 ▼ ▲ 取消")
        clerk.press("确认 8 3 12345 确认 取消")
        clerk.press("确认 8 4 ▼ ▼ 取消")
        clerk.press("确认 6 1 确认")
        clerk.take_slips()
        clerk.press("确认 6 6 确认")
        clerk.wait_for_state("idle.ready")
        assert scans(clerk.ledger, seen) == []
