"""Where a command's words go: one document or the result on stdout, everything else on stderr."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

from console.errors import CouldNotRun
from console.secrets import emit, redact
from console.text import harmless

if TYPE_CHECKING:
    from console.documents import Document
    from console.operation import Finding


class Output:
    """The two streams of one command; text for people is redacted and harmless."""

    def __init__(self, json: bool = False) -> None:
        self.json = json
        self._closed: set[str] = set()

    @property
    def unread(self) -> bool:
        """True when nobody reads the result any more."""
        return "stdout" in self._closed

    def result(self, text: str) -> None:
        """A line of the result: stdout, or stderr where stdout belongs to the document."""
        self._emit("stderr" if self.json else "stdout", text)

    def note(self, text: str) -> None:
        """A line about the result: always stderr."""
        self._emit("stderr", text)

    def document(self, document: Document) -> None:
        """The one JSON document; nothing without `--json`."""
        if self.json:
            self.print_document(document)

    def print_text(self, text: str) -> None:
        """A text of the program itself on stdout."""
        self._emit("stdout", text, cleaned=True)

    def print_document(self, document: Document) -> None:
        """A document on stdout whether asked for or not."""
        from console.document_parts import to_json

        self._emit("stdout", to_json(document), cleaned=True)

    def findings(self, findings: Iterable[Finding]) -> None:
        """One line for each finding, and where it helps a second one with the next step."""
        step = ""
        for finding in findings:
            if self.unread and not self.json:
                return
            self.result(f"{finding.severity}: {_sentence(finding)}")
            if finding.next_step != step:  # the same advice once for a run of findings
                step = finding.next_step
                self.result(f"  -> {step}") if step else None

    def table(self, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Rows under a head: drawn on a terminal, aligned lines elsewhere."""
        from console.cli import tables

        name = "stderr" if self.json else "stdout"
        cells = [[harmless(redact(str(value)), 200) for value in row] for row in rows]
        if self._stream(name).isatty():
            self._emit(name, tables.drawn(head, cells), cleaned=True)
        else:
            self._emit(name, tables.aligned(head, cells))

    def _stream(self, name: str) -> TextIO:
        """A stream that the caller has closed altogether leads nowhere."""
        stream: TextIO | None = getattr(sys, name)
        return io.StringIO() if stream is None else stream

    def _emit(self, name: str, text: str, *, cleaned: bool = False) -> None:
        if name in self._closed:
            return
        stream = self._stream(name)
        try:
            if cleaned:
                stream.write(f"{text}\n")
                stream.flush()
            else:
                emit(text, stream)
        except BrokenPipeError:
            self._silence(name, stream)
        except OSError as error:
            self._silence(name, stream)
            if name == "stdout":
                raise CouldNotRun(f"The output could not be written: {error.strerror}.") from error

    def _silence(self, name: str, stream: TextIO) -> None:
        """Let what is still buffered go nowhere; the work itself goes on to its end."""
        self._closed.add(name)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _sentence(finding: Finding) -> str:
    """The message, and the record it is about where neither it nor a line names it."""
    known = not finding.record or finding.line is not None or finding.record in finding.message
    return finding.message if known else f"{finding.message} ({finding.record})"
