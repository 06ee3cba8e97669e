"""Whether a synchronous standby has a second copy of every commit, and what to say when none has.

Without one, the loss of the database server loses what was acknowledged since the last backup; the
marks beside it notice, and a quarantine follows (`engine.quarantine`).
"""

from collections.abc import Mapping

from msgspec import Struct

from gateway.ports import Observer, Standby, StoreError, WorkerStore

_NAMED = "synchronous_standby_names"


class Note(Struct, frozen=True):
    """Something operators should know that keeps nothing from going on."""

    code: str
    en: str
    zh: str


NOTES: Mapping[Standby, Note] = {
    Standby.NONE_NAMED: Note(
        "no_sync_standby",
        f"PostgreSQL waits for no synchronous standby ({_NAMED} is empty): the loss of its server "
        "would lose acknowledged payouts",
        f"PostgreSQL 未配置同步备库（{_NAMED} 为空）：主库损毁时，已受理的付款可能丢失",
    ),
    Standby.NONE_ATTACHED: Note(
        "sync_standby_away",
        f"no synchronous standby is attached although {_NAMED} asks for one: commits wait until "
        "one is",
        f"{_NAMED} 已配置，但没有同步备库连接：提交将一直等待备库",
    ),
    Standby.HIDDEN: Note(
        "sync_standby_hidden",
        "this database user may not see whether a synchronous standby is attached; grant it "
        "pg_monitor",
        "当前数据库用户无权查看同步备库状态，请授予 pg_monitor",
    ),
}
NONE_EMBEDDED = Note(
    "no_sync_standby",
    "SQLite has no synchronous standby; database.require_sync_standby needs PostgreSQL",
    "SQLite 没有同步备库；database.require_sync_standby 需要 PostgreSQL",
)


class NoStandbyError(StoreError):
    """The installation asks for a synchronous standby, and there is none."""

    def __init__(self, note: Note) -> None:
        """`note` says what is missing."""
        super().__init__(note.en)
        self.note = note


class StandbyWatch:
    """One per process; look at the start and once a minute."""

    def __init__(self, store: WorkerStore, observer: Observer) -> None:
        """Nothing is known yet."""
        self._store = store
        self._observer = observer
        self._seen: Standby | None = None

    @property
    def note(self) -> Note | None:
        """What to tell operators; None when a standby is attached, or none can be."""
        return None if self._seen is None else NOTES.get(self._seen)

    async def look(self) -> Standby:
        """See whether one is attached; an alarm when that changed. Raises `StoreError`."""
        seen = await self._store.standby()
        changed, self._seen = seen is not self._seen, seen
        note = self.note
        if changed and note is not None:
            self._observer.alarm(
                "standby.missing", code=note.code, problem=note.en, problem_zh=note.zh
            )
        return seen

    async def require(self) -> None:
        """Raise `NoStandbyError` unless one is attached."""
        seen = await self.look()
        if seen is not Standby.ATTACHED:
            raise NoStandbyError(NOTES.get(seen, NONE_EMBEDDED))
