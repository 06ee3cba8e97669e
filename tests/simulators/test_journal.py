"""The journal remembers without telling secrets, and does not grow for ever."""

from __future__ import annotations

import json

from simulators.journal import Journal, masked
from simulators.kernel import Answer, Cut, Reply, Request
from tests.simulators.alipay.customer import START, TRANSFER, customer, transfer


def test_names_payees_and_signatures_are_masked() -> None:
    """A whole transfer as it goes over the wire, and its notice."""
    merchant = customer()
    request = merchant.request(merchant.parameters(TRANSFER, transfer()))
    answer = merchant.simulator.handle(request, START)
    journal = Journal()
    journal.note_request("alipay", request, answer, START)
    journal.note_push("alipay", answer.pushes[0], 200, START)
    text = json.dumps(journal.rows(), ensure_ascii=False)
    assert "李雷" not in text
    assert "li@example.test" not in text
    assert text.count("sign=***") == 2
    assert '\\"sign\\":\\"***\\"' in text
    asked, told = journal.rows()
    assert (asked["op"], asked["reference"], asked["status"]) == ("submit", "po-1", 200)
    assert (told["direction"], told["reference"], told["status"]) == ("out", "po-1", 200)


def test_escaped_quotes_do_not_end_a_secret() -> None:
    """A name with quotes and backslashes is masked to its end."""
    said = json.dumps({"name": 'a"b\\', "amount": "1"})
    assert masked(said) == '{"name": "***", "amount": "1"}'


def test_a_cut_has_no_status() -> None:
    """What the caller never saw is not shown as answered."""
    journal = Journal()
    answer = Answer(Reply(200, (), b"x"), cut=Cut.AFTER, faults=("f1",))
    journal.note_request("s", Request("POST", "/", {}, b"\xff"), answer, START)
    (row,) = journal.rows()
    assert (row["status"], row["cut"], row["faults"]) == (None, "after", ("f1",))
    assert row["asked"] == "<2 bytes>"


def test_it_is_bounded_and_can_be_read_on() -> None:
    """Old entries go; `after` continues where a reader stopped."""
    journal = Journal(limit=3)
    for number in range(5):
        answer = Answer(None, reference=f"r{number}")
        journal.note_request("s", Request("GET", "/", {}, b""), answer, START)
    assert [row["number"] for row in journal.rows()] == [3, 4, 5]
    assert [row["number"] for row in journal.rows(after=4)] == [5]
    assert [row["number"] for row in journal.rows(limit=1)] == [3]
    assert [row["number"] for row in journal.rows(reference="r3")] == [4]
