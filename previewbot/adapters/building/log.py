"""The log of one build, as people read it while it grows: only so long, and never a reason for a build to fail."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

_LIMIT = 5 * 1024 * 1024
_CUT = "\npreviewbot: the log is longer than 5 MB; the rest of it is not kept.\n"


class Log:
    """A log file that is written from its beginning. Where it cannot be written, it is not."""

    def __init__(self, path: Path, limit: int = _LIMIT) -> None:
        self._left = limit
        self._file: BinaryIO | None = None
        with suppress(OSError):
            self._file = path.open("wb", buffering=0)

    def write(self, said: bytes) -> None:
        """Add what was said, up to the limit."""
        if self._left <= 0:
            return
        self._put(said[: self._left])
        self._left -= len(said)
        if self._left <= 0:
            self._put(_CUT.encode())

    def remark(self, sentence: str) -> None:
        """Add a sentence of previewbot's own, limit or not."""
        self._put(f"\npreviewbot: {sentence}\n".encode("utf-8", "replace"))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None

    def _put(self, said: bytes) -> None:
        if self._file is not None:
            with suppress(OSError):  # a full disk ends the log, not the build
                self._file.write(said)
