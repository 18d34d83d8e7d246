"""Reading the output of a build line by line: which step it is at, and what a failing step said.

BuildKit's plain progress numbers what it does (``#7 [stage-1 3/4] RUN make``, then ``#7 0.2 output``, then
``#7 DONE 1.2s`` or ``#7 ERROR: …``); the classic builder writes ``Step 3/4 : RUN make`` and then the output as it is,
as Podman does after ``STEP 3/4: RUN make``.
Pure: nothing is read but what is given.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field

_KEPT = 20
_LINE_LIMIT = 500
_ERROR_LIMIT = 4000
"""Errors name the same long references again and again, and say what is wrong at their end."""
_STEP_LIMIT = 120
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
_NUMBERED = re.compile(r"#(\d+) (.*)")
_OUTPUT = re.compile(r"\d+\.\d+ (.*)")
_HEADLINE = re.compile(r"\[(?:(?P<stage>[^\]\s]+) )?(?:(?P<at>\d+)/(?P<of>\d+)|internal)\] (?P<text>.*)")
_CLASSIC = re.compile(r"(?:Step|(?:\[\d+/\d+\] )?STEP) (?P<at>\d+)/(?P<of>\d+) ?: (?P<text>.*)")
_CLASSIC_NOISE = re.compile(
    r" ---> |Removing intermediate container |The command '|Sending build context to "
    r"|--> |COMMIT |(?:error )?building at STEP "
)
_MARKED = re.compile(r" *(?P<line>\d+) \| >>> (?P<text>.*)")
"""BuildKit shows the part of the Dockerfile that failed; it marks its lines."""
_LAST_WORDS = re.compile(r"(?:error|ERROR): (.*)")
_SYNTAX = re.compile(r"parse error (?:on )?line (\d+): (.*)")


@dataclass(slots=True)
class _Vertex:
    headline: re.Match[str]
    output: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT))
    error: str | None = None

    @property
    def instruction(self) -> str:
        return _tidy(self.headline["text"])

    @property
    def step(self) -> str:
        groups = self.headline.groupdict()
        if not groups.get("at"):
            return f"`{_quotable(self.instruction)}`"
        return f"step {groups['at']}/{groups['of']} `{_quotable(self.instruction)}`"


class Progress:
    """What is known of one build from the lines read so far."""

    def __init__(self) -> None:
        self._vertices: dict[str, _Vertex] = {}
        self._current: _Vertex | None = None
        self._failed: _Vertex | None = None
        self._loose: deque[str] = deque(maxlen=_KEPT)
        self._syntax: re.Match[str] | None = None
        self._marked: re.Match[str] | None = None
        self._is_classic = False
        self.error: str | None = None
        """The error that the command itself ended with, on one line; no line of the build's own can pass for it."""
        self.last_words = ""
        """The last line that belongs to no step: where the build failed, the command's own."""
        self.disk_is_full = False

    @property
    def step(self) -> str | None:
        """The step that it is at, in words: ``step 4/9 `RUN pip install```."""
        return self._current.step if self._current else None

    def read(self, line: str) -> None:
        """Read the next line, without its end."""
        line = _ESCAPES.sub("", line)
        if last_words := _LAST_WORDS.fullmatch(line[:_ERROR_LIMIT]):
            self.error = last_words[1]
        elif self.error and not _NUMBERED.match(line):  # several errors of a registry come as several lines
            self.error = f"{self.error} {line.strip()}".rstrip()[:_ERROR_LIMIT]
        if line.strip() and not _NUMBERED.match(line):
            self.last_words = line[:_ERROR_LIMIT]
        line = line[:_LINE_LIMIT]
        self.disk_is_full = self.disk_is_full or "no space left on device" in line.lower()
        self._syntax = _SYNTAX.search(line) or self._syntax
        if numbered := _NUMBERED.fullmatch(line):
            self._read_numbered(numbered[1], numbered[2])
        elif classic := _CLASSIC.fullmatch(line):
            self._is_classic = True
            self._current = _Vertex(classic)
        elif line.strip() and not line.startswith(("------", " > ")) and not _CLASSIC_NOISE.match(line):
            self._marked = self._marked or _MARKED.fullmatch(line)
            self._loose.append(line)
            if self._is_classic and self._current:
                self._current.output.append(line)

    def _read_numbered(self, number: str, rest: str) -> None:
        vertex = self._vertices.get(number)
        if vertex is None:
            if headline := _HEADLINE.fullmatch(rest):
                vertex = self._vertices[number] = _Vertex(headline)
                if headline["at"]:
                    self._current = vertex
        elif rest.startswith("ERROR: "):
            vertex.error = rest.removeprefix("ERROR: ")
            self._failed = self._failed or vertex
        elif output := _OUTPUT.fullmatch(rest):
            vertex.output.append(output[1])

    def failure(self, dockerfile: str, name: str) -> tuple[str | None, tuple[str, ...]]:
        """Say where a build failed and what it said last; ``dockerfile`` is the text of the file called ``name``."""
        failed = self._failed or (self._current if self._is_classic else None)
        if failed is None and self._syntax:
            return f"`{_quotable(name)}:{self._syntax[1]}`", (self._syntax[2],)
        if failed is None:
            return None, tuple(self._loose)
        step = self._place(failed, dockerfile, name) or failed.step
        said = tuple(failed.output) or ((failed.error,) if failed.error else tuple(self._loose))
        return step, said

    def _place(self, failed: _Vertex, dockerfile: str, name: str) -> str | None:
        line: int | str | None = find_line(dockerfile, failed.instruction)
        instruction = failed.instruction
        if line is None and self._marked:
            line, instruction = self._marked["line"], _tidy(self._marked["text"].removesuffix("\\"))
        return f"`{_quotable(f'{name}:{line} {instruction}')}`" if line else None

    def last_lines(self) -> tuple[str, ...]:
        """What the step that it is at has said."""
        return tuple(self._current.output) if self._current else ()


def find_line(dockerfile: str, instruction: str) -> int | None:
    """Find the line of a Dockerfile on which an instruction begins; ``None`` where it reads differently there."""
    begin, parts = 0, list[str]()
    for number, raw in enumerate(dockerfile.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        begin = begin if parts else number
        parts.append(line.removesuffix("\\"))
        if line.endswith("\\"):
            continue
        if _tidy(" ".join(parts)) == instruction:
            return begin
        parts.clear()
    return None


def _tidy(text: str) -> str:
    return " ".join(text.split())


def _quotable(text: str) -> str:
    """Make a text safe between backticks, on one line."""
    short = text if len(text) <= _STEP_LIMIT else f"{text[: _STEP_LIMIT - 1]}…"
    return short.replace("`", "'")
