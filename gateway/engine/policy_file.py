"""The policy file, where it is the only writer: read each second, believed once it stands still.

An editor that writes in place leaves half a file for a moment, and half a policy may well be valid.
"""

from pathlib import Path

from gateway.domain.policy_mistake import Mistake, PolicyInvalidError

SIZE_MAX = 2**20


class PolicyFile:
    """One file, as last read."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self.path = path
        self._known: str | None = None
        self._seen: str | None = None

    def begin(self) -> str:
        """What it says at the start. Raises `PolicyInvalidError`. Touches the disk."""
        self._known = self._seen = self._read()
        return self._known

    def look(self) -> str | None:
        """The new text, once, when it is another than before and was the same at the last look.

        Raises `PolicyInvalidError`, once as well, for a file that cannot be read. Touches the disk.
        """
        try:
            text = self._read()
        except PolicyInvalidError as error:
            if self._settled(error.message) is None:
                return None
            raise
        return self._settled(text)

    def _settled(self, text: str) -> str | None:
        before, self._seen = self._seen, text
        if text != before or text == self._known:
            return None
        self._known = text
        return text

    def _read(self) -> str:
        try:
            with self.path.open("rb") as file:
                content = file.read(SIZE_MAX + 1)
        except OSError as error:
            said = f"cannot be read: {error.strerror}"
            raise PolicyInvalidError(str(self.path), [Mistake(1, said)]) from None
        if len(content) > SIZE_MAX:
            said = f"is larger than {SIZE_MAX} bytes"
            raise PolicyInvalidError(str(self.path), [Mistake(1, said)])
        try:
            return content.decode()
        except UnicodeDecodeError:
            said = "is not UTF-8 text"
            raise PolicyInvalidError(str(self.path), [Mistake(1, said)]) from None
