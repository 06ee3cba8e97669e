"""Decision tables: what each cell means, and where each mistake is."""

import pytest
import yaml

from policies import table as tables
from policies.document import PolicyError, load, parse
from policies.table import Cell, Mistake, TableError, read_csv, rows_of


def when(column: str, cell: Cell) -> str:
    """The condition of a table with one column and one row."""
    (row,) = rows_of([column, "max_attempts"], [[cell, "1"]])
    return row.when


def then(column: str, cell: Cell) -> object:
    """The effect of a table with one column and one row."""
    (row,) = rows_of([column], [[cell]])
    return row.then[column]


@pytest.mark.parametrize(
    ("column", "cell", "condition"),
    [
        ("payout.amount_minor", ">=10000", "payout.amount_minor >= 10000"),
        ("payout.amount_minor", " < 5 ", "payout.amount_minor < 5"),
        (
            "payout.amount_minor",
            "1000..5000",
            "payout.amount_minor >= 1000 && payout.amount_minor <= 5000",
        ),
        ("amount (yuan)", "1,234.56", "payout.amount_minor == 123456"),
        ("amount (元)", "!=0.01", "payout.amount_minor != 1"),
        ("amount", 7, "payout.amount_minor == 7"),
        ("channel.success_ppm (%)", "<99.5", "channel.success_ppm < 995000"),
        ("clock.hour", "9|10|11", "clock.hour in [9, 10, 11]"),
        ("payout.attempt", "= 2", "payout.attempt == 2"),
        ("merchant.tier", "vip", "merchant.tier == 'vip'"),
        ("merchant.tier", "!vip", "merchant.tier != 'vip'"),
        ("payout.bank", "ICBC | CCB", "payout.bank in ['ICBC', 'CCB']"),
        ("payout.bank", "!ICBC|CCB", "!(payout.bank in ['ICBC', 'CCB'])"),
        ("payout.bank", "in lists.banks", "payout.bank in lists.banks"),
        ("payout.rails", "alipay|wechat", "('alipay' in payout.rails || 'wechat' in payout.rails)"),
        ("merchant.tags", "!new", "!('new' in merchant.tags)"),
        ("merchant.tags", "in lists.a", "merchant.tags.exists(one, one in lists.a)"),
        ("clock.is_workday", "yes", "clock.is_workday"),
        ("clock.is_workday", "否", "!clock.is_workday"),
        ("clock.is_workday", False, "!clock.is_workday"),
        ("merchant.id", "o'neill \\", "merchant.id == 'o\\'neill \\\\'"),
        ("merchant.id", "", "true"),
        ("merchant.id", "*", "true"),
        ("merchant.id", None, "true"),
    ],
)
def test_cells_become_conditions(column: str, cell: Cell, condition: str) -> None:
    """Every way to write a condition in a cell, in CEL."""
    assert when(column, cell) == condition


@pytest.mark.parametrize(
    ("column", "cell", "effect"),
    [
        ("prefer", "b|a", ["b", "a"]),
        ("deny", " a ", ["a"]),
        ("split", "a: 70% | b: 30%", {"a": 700_000, "b": 300_000}),
        ("split", "a 999999|b：1", {"a": 999_999, "b": 1}),
        ("weight", "a:112.5%", {"a": 1_125_000}),
        ("max_attempts", "3", 3),
        ("deadline", "30m", "30m"),
        ("review", "large, new", "large, new"),
        ("pass", "是", True),
    ],
)
def test_cells_become_effects(column: str, cell: Cell, effect: object) -> None:
    """Every way to write an effect in a cell."""
    assert then(column, cell) == effect


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("amount (yuan)", "1.234", "not exact"),
        ("amount (yuan)", "many", "not a number"),
        ("amount (yuan)", "NaN", "not exact"),
        ("amount (yuan)", "1e30", "not exact"),
        ("amount", "5..3", "empty range"),
        ("amount", "1.5", "not exact"),
        ("clock.is_workday", "maybe", "neither yes nor no"),
        ("payout.bank", "ICBC||CCB", "empty alternative"),
        ("payout.bank", "a\x00b", "cannot be shown"),
        ("split", "a=70%", "not like"),
        ("split", "a:1|a:2", "twice"),
        ("pass", "no", "leave the cell empty"),
        ("max_attempts", "two", "not a number"),
    ],
)
def test_a_bad_cell_names_its_row_and_column(column: str, cell: Cell, said: str) -> None:
    """People find the cell without counting."""
    with pytest.raises(TableError) as caught:
        rows_of(["note", column], [["fine", None], ["x", cell]])
    (mistake,) = caught.value.mistakes
    assert (mistake.row, mistake.column) == (2, 1)
    assert mistake.message.startswith(f"row 2, column {column!r}: ")
    assert said in mistake.message


@pytest.mark.parametrize(
    ("columns", "rows", "said"),
    [
        (["payout.bnk"], [["x"]], "neither a fact nor"),
        (["payout.bank (yuan)"], [["x"]], "the unit is"),
        (["amount (usd)"], [["x"]], "the unit is"),
        (["amount (%)"], [["x"]], "the unit is"),
        (["deny", "deny"], [["a", "b"]], "twice"),
        (["deny"], [["a", "b"]], "row 1 has 2 cells"),
        (["deny"], [], "1 to 200 rows"),
        (["note"] * 31, [["x"]], "at most 30 columns"),
    ],
)
def test_a_bad_shape_is_refused(columns: list[str], rows: list[list[Cell]], said: str) -> None:
    """Headers and sizes are checked before any cell."""
    with pytest.raises(TableError, match=said):
        rows_of(columns, rows)


def test_all_mistakes_are_told_at_once() -> None:
    """A person mends the whole sheet in one go."""
    with pytest.raises(TableError) as caught:
        rows_of(["oops", "amount"], [["x", "y"], ["x"]])
    assert [one[:2] for one in caught.value.mistakes] == [(0, 0), (1, 1), (2, 0)]


CSV = """\
merchant.tier,amount (yuan),prefer,note
vip,>=1000,"a|b",our best

,,b,all others
"""


def test_csv_is_read_as_spreadsheets_write_it() -> None:
    """A byte order mark, quotes and empty lines do no harm."""
    columns, rows = read_csv("\ufeff" + CSV)
    assert columns == ["merchant.tier", "amount (yuan)", "prefer", "note"]
    assert [row[2] for row in rows] == ["a|b", "b"]


@pytest.mark.parametrize("text", ["", "\n,,\n", 'a,"b'])
def test_what_is_no_csv_is_refused(text: str) -> None:
    """Empty and broken files are told apart from tables."""
    with pytest.raises(TableError) as caught:
        read_csv(text)
    assert caught.value.mistakes[0][:2] == (0, 0)


def test_the_compiled_rules_decide_as_the_table_does() -> None:
    """What `compile` shows can be pasted into the policy instead of the table."""
    text = tables.compile(CSV, "tiers")
    shown = yaml.safe_load(text)["rules"]
    assert [one["name"] for one in shown] == ["tiers-1", "tiers-2"]
    assert shown[0]["when"] == "merchant.tier == 'vip' && payout.amount_minor >= 100000"
    assert {one["group"] for one in shown} == {"tiers"}
    head = "version: 2\nname: x\nchannels: {a: {}, b: {}}\n"
    vip = "merchants: {m: {tier: vip}}\nexamples:\n"
    for number, merchant, amount in ((1, "m", 100_000), (2, "m", 99_999), (2, "n", 100_000)):
        vip += (
            f"  - {{name: e, merchant: {merchant}, payout: {{amount_minor: {amount}}}, "
            f"expect: {{rules: [tiers-{number}]}}}}\n"
        )
    indented = CSV.replace("\n", "\n        ")
    as_table = f"rules:\n  - name: tiers\n    table:\n      csv: |\n        {indented}\n"
    assert load(head + vip + as_table).rules.names(3) == ("tiers-1", "tiers-2")
    assert load(head + vip + text).rules.names(3) == ("tiers-1", "tiers-2")


@pytest.mark.parametrize(
    ("table", "line", "said"),
    [
        ("{columns: [amount, deny], rows: [[1, a],\n    [x, a]]}", 6, "row 2, column 'amount'"),
        ("{columns: [amount,\n    deni], rows: [[1, a]]}", 6, "column 'deni'"),
        ("\n      csv: |\n        amount,deny\n\n        1,a\n        x,a\n", 10, "row 2"),
        ("\n      csv: |\n        deny,split\n        a,b 70%\n", 8, "split add up to 700000"),
        ("\n      csv: |\n        deny,note\n        a,b\n        ,b\n", 9, "does nothing"),
        ("{columns: [amount (yuan), deny], rows: [[1.5, a]]}", 5, "fraction in quotes"),
        ("tiers.csv", 5, "compile-table"),
        ("{csv: 'deny', columns: [deny]}", 5, "either columns and rows, or csv"),
    ],
)
def test_mistakes_in_a_table_name_the_line_of_the_file(table: str, line: int, said: str) -> None:
    """Row and column for the person with the sheet, the line for the one with the file."""
    text = f"version: 2\nname: x\nrules:\n  - name: t\n    table: {table}\n"
    with pytest.raises(PolicyError) as caught:
        load(text)
    assert [(at, said in message) for at, message in caught.value.problems] == [(line, True)]


def test_mistakes_compare_as_values() -> None:
    """A mistake is a plain value: row, column and message."""
    assert Mistake(1, 2, "x") == (1, 2, "x")
    assert parse("version: 2\nname: x\n").rules == []
