"""What shares a round trip to PostgreSQL, and that JSON carries every value there unharmed."""

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.store import Vault, open_store
from gateway.store.bundles import Records, bundles, is_bundled, text_of
from gateway.store.postgres_group import Connection
from gateway.store.queries import Queries, Query, query_of
from tests.contracts.store.conftest import KEK, SettableClock

QUERIES = Queries("postgres")
THING = query_of("insert_thing", 0, ("INSERT INTO things (t, n, s, b)", "VALUES (:t, :n, :s, :b)"))
TYPES = ("text", "int8", "int2", "bytea")

ROWS = st.lists(
    st.tuples(
        # PostgreSQL's text holds no NUL, and UTF-8 no half of a surrogate pair.
        st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.integers(-(2**15), 2**15 - 1),
        st.none() | st.binary(),
    ),
    max_size=8,
)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """A loop for all examples of a law, and what is connected on it."""
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(scope="module")
def things(runner: asyncio.Runner, postgres_url: str) -> Iterator[Connection]:
    """A connection with an empty table of its own, of every type there is."""
    connection = runner.run(asyncpg.connect(postgres_url))
    runner.run(
        connection.execute("CREATE TEMP TABLE things (t TEXT, n BIGINT, s SMALLINT, b BYTEA)")
    )
    yield connection
    runner.run(connection.close())


@given(st.sets(st.sampled_from(QUERIES.all())))
def test_bundles_keep_every_statement_in_its_place(chosen: set[Query]) -> None:
    """One after another they are what was given."""
    queries = sorted(chosen, key=lambda query: query.order)

    assert [query for bundle in bundles(queries) for query in bundle] == queries


@given(st.sets(st.sampled_from([query for query in QUERIES.all() if is_bundled(query)])))
@example({QUERIES["open_bank_incident"], QUERIES["insert_watch"], QUERIES["insert_incident"]})
def test_no_part_of_a_bundle_names_what_another_names(chosen: set[Query]) -> None:
    """As they all see what was there before, none may depend on another."""
    for bundle in bundles(sorted(chosen, key=lambda query: query.order)):
        named = [table for query in bundle for table in query.tables]
        assert len(named) == len(set(named))


@pytest.mark.parametrize(
    "name", ["update_payout", "insert_notice", "owe_notice", "put_endpoint", "lock_payouts"]
)
def test_what_finds_rows_or_returns_them_has_a_round_trip_of_its_own(name: str) -> None:
    """A statement that is no plain insert stands alone between those beside it."""
    before, alone, after = (QUERIES[each] for each in ("insert_payee", name, "insert_watch"))

    assert list(bundles([before, alone, after])) == [(before,), (alone,), (after,)]


def test_an_update_sees_what_the_same_group_has_inserted() -> None:
    """Accepted and armed in one commit: the payout is stored a round trip before it is moved."""
    names = ("insert_payout", "insert_payee", "update_payout", "insert_attempt", "insert_event")
    payout, payee, moved, attempt, event = (QUERIES[name] for name in names)

    assert list(bundles([payout, payee, moved, attempt, event])) == [
        (payout, payee),
        (moved,),
        (attempt, event),
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=ROWS)
def test_every_value_arrives_as_it_was(
    runner: asyncio.Runner, things: Connection, rows: list[tuple[object, ...]]
) -> None:
    """Text, numbers to their limits, bytes and nulls, in the order of the rows."""
    records = Records(THING, TYPES)

    async def stored() -> tuple[object, list[tuple[object, ...]]]:
        await things.execute("TRUNCATE things")
        count = await things.fetchval(text_of(records), records.json(rows))
        return count, [tuple(row) for row in await things.fetch("SELECT t, n, s, b FROM things")]

    assert runner.run(stored()) == (len(rows), rows)


@pytest.mark.parametrize(
    "row",
    [
        (1, 1, 1, b""),
        (b"bytes", 1, 1, b""),
        ({"a": 1}, 1, 1, b""),
        ("t", "1", 1, b""),
        ("t", 1.0, 1, b""),
        ("t", 1, True, b""),
        ("t", 1, 1, "text"),
    ],
)
def test_what_json_would_make_another_type_of_is_refused(row: tuple[object, ...]) -> None:
    """PostgreSQL would read digits from text and text from bytes, and say nothing."""
    with pytest.raises(TypeError, match="insert_thing"):
        Records(THING, TYPES).json([("t", 1, 1, b""), row])


@pytest.mark.parametrize("row", [("t", 1, 1), ("t", 1, 1, b"", 1)])
def test_a_row_of_another_length_is_refused(row: tuple[object, ...]) -> None:
    """A value that is missing must not become null."""
    with pytest.raises(ValueError, match="argument"):
        Records(THING, TYPES).json([row])


async def test_the_database_understands_every_statement_that_may_be_bundled(
    fresh_postgres_url: str,
) -> None:
    """The types of all their parameters are known, and what is made of them is SQL."""
    store = await open_store(fresh_postgres_url, Vault(KEK), SettableClock(), migrate=True)
    await store.aclose()
    connection = await asyncpg.connect(fresh_postgres_url)
    found = []
    for query in filter(is_bundled, QUERIES.all()):
        prepared = await connection.prepare(query.numbered)
        found.append(Records(query, [each.name for each in prepared.get_parameters()]))

    for bundle in bundles(records.query for records in found):
        parts = [records for records in found if records.query in bundle]
        counts = await connection.fetchrow(text_of(*parts), *("[]" for _ in parts))
        assert counts is not None
        assert tuple(counts) == (0,) * len(parts)

    assert len(found) > 40
    await connection.close()
