"""Files that people open: templates and what is written back. No cell of them can act.

A spreadsheet runs what begins with = + - @ (or a tab or line break before it) as a formula: such a
cell gets a leading apostrophe, which the reader takes out again (OWASP, CSV injection). Workbooks
hold every cell as text, so that no card number turns into 6.22E+15.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from gateway.sheets.profile import Profile, Source

Format = Literal["csv", "xlsx"]
Language = Literal["zh", "en"]

CONTENT_TYPES: Mapping[Format, str] = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_ACTING = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def harmless(text: str) -> str:
    """The text, unable to act in a spreadsheet."""
    return f"'{text}" if text.startswith(_ACTING) else text


def file_of(lines: Iterable[Sequence[str]], kind: Format) -> bytes:
    """A file of text cells. CSV is UTF-8 with its mark, which Excel needs to read Chinese."""
    safe: Iterator[list[str]] = ([harmless(cell) for cell in line] for line in lines)
    if kind == "csv":
        out = io.StringIO(newline="")
        csv.writer(out, lineterminator="\r\n").writerows(safe)
        return out.getvalue().encode("utf-8-sig")
    # Loaded with the first workbook: it takes a quarter of a second.
    from gateway.sheets.workbook import workbook_of  # noqa: PLC0415 - see above

    return workbook_of(safe)


def template(profile: Profile, kind: Format, language: Language) -> bytes:
    """The headings that a file of this profile needs, and nothing to be paid by mistake."""
    headings = [
        (column.zh if language == "zh" else column.en) + ("*" if column.required else "")
        for column in profile.columns.values()
    ]
    return file_of([headings], kind)


def written_back(
    profile: Profile,
    rows: Iterable[tuple[Mapping[Source, str], Mapping[str, str]]],
    kind: Format,
    language: Language,
) -> bytes:
    """What the platform's operator needs; each row with its values and the cells it came from."""
    columns = profile.result.columns
    words: Mapping[str, str] = dict(profile.result.words.items())

    def lines() -> Iterator[list[str]]:
        yield [one.zh if language == "zh" else one.en for one in columns]
        for values, cells in rows:
            word = words.get(values["status"], "")
            if not word:
                continue
            told = {**values, "status": word}
            yield [_value(one.source, told, cells) for one in columns]

    return file_of(lines(), kind)


def _value(source: Source, values: Mapping[Source, str], cells: Mapping[str, str]) -> str:
    if source.startswith("cell:"):
        wanted = source.removeprefix("cell:").split("|")
        return next((cells[name] for name in wanted if name in cells), "")
    return values.get(source, "")
