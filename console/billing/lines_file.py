"""A CSV of missing lines, read by header name as a stream of records with their line numbers."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from console.billing.meta_cells import MetaFaults
from console.errors import BadInput

if TYPE_CHECKING:
    from _csv import Reader

BLOCK = 1 << 20
ROWS = 2000
FIELDS = (
    "invoice_id",
    "unit_id",
    "line_type",
    "description",
    "amount",
    "tax_rate",
    "meta",
    "tenant_id",
)
# The finder's own header names, beside those the upsert tool reads.
_SPELLINGS = {
    "tenantid": "tenant_id",
    "unitid": "unit_id",
    "invoiceid": "invoice_id",
    "linetype": "line_type",
    "taxrate": "tax_rate",
}
# Exports carry it, but the database's trigger computes it anew for every row it stores.
_IGNORED = {"normalized_description"}
_NEEDED = {"unit_id", "line_type", "description", "amount", "tax_rate"}
_DELIMITERS = ",;\t"

Record = tuple[int, int, str, *tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class LinesFile:
    """A file that can be read: its digest, how it is written, and where each column stands."""

    path: Path
    size: int
    sha256: str
    encoding: str
    delimiter: str
    header: tuple[str, ...]

    @property
    def by_tenant(self) -> bool:
        """True for the finder's form, which names tenants instead of invoices."""
        return "invoice_id" not in self.header

    def blocks(self) -> Iterator[tuple[int, list[Record]]]:
        """Yield (bytes read, records); a record is (number, line, fault, *cells as in the header).

        Raises `BadInput` with the line where the quoting is broken, or when the file has changed.
        """
        digest = hashlib.sha256()
        with self.path.open("rb") as raw:
            text = io.TextIOWrapper(
                io.BufferedReader(_Hashing(raw, digest), BLOCK),
                encoding=self.encoding,
                newline="",
            )
            records = self._records(csv.reader(text, delimiter=self.delimiter, strict=True))
            try:
                while block := list(islice(records, ROWS)):
                    yield raw.tell(), block
            except UnicodeDecodeError:
                raise _changed(self.path) from None
        if digest.hexdigest() != self.sha256:
            raise _changed(self.path)

    def _records(self, reader: Reader) -> Iterator[Record]:
        next(reader)
        width, number, start = len(self.header), 0, reader.line_num + 1
        meta = self.header.index("meta") if "meta" in self.header else None
        meta_fault, unread = MetaFaults(), ("",) * width
        try:
            for row in reader:
                line, start = start, reader.line_num + 1
                if not row:
                    continue
                number += 1
                if len(row) != width:
                    yield number, line, f"fields:{len(row)}", *unread
                else:
                    fault = "" if meta is None else meta_fault(row[meta])
                    yield number, line, fault, *row
        except csv.Error as error:
            raise BadInput(
                f"{self.path.name} line {start}: the quoting is broken ({error}).",
                next_step='Close every quote and write a quote inside a field twice ("").',
            ) from None


def _changed(path: Path) -> BadInput:
    return BadInput(f"{path} changed while it was read.", next_step="Plan again.")


class _Hashing(io.RawIOBase):
    """Passes bytes on and digests them, so that what was read is what was planned."""

    def __init__(self, raw: BinaryIO, digest: hashlib._Hash) -> None:
        self._raw, self._digest = raw, digest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # the stub asks for a wider buffer type
        block = self._raw.read(len(buffer))
        self._digest.update(block)
        buffer[: len(block)] = block
        return len(block)


def open_lines_file(path: Path) -> LinesFile:
    """Look at a CSV file: regular, text, with a header we know; `BadInput` says what is not."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise BadInput(f"{path} is not a regular file.", next_step="Name the CSV file.")
        with path.open("rb") as raw:
            sha256, encoding = _digest_and_encoding(raw, path)
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read: {error.strerror}.",
            next_step="Check the path and your rights on the file.",
        ) from None
    with path.open(encoding=encoding, newline="") as text:
        delimiter, header = _header(text.readline(), path)
    return LinesFile(path, status.st_size, sha256, encoding, delimiter, header)


def _digest_and_encoding(raw: BinaryIO, path: Path) -> tuple[str, str]:
    digest, lines = hashlib.sha256(), 0
    while block := raw.read(BLOCK):
        if b"\0" in block:
            line = lines + block[: block.index(b"\0")].count(b"\n") + 1
            raise BadInput(
                f"{path.name} line {line}: a NUL byte; this is not a CSV text file.",
                next_step="Export it as CSV in UTF-8.",
            )
        digest.update(block)
        lines += block.count(b"\n")
    if not raw.tell():
        raise BadInput(f"{path.name} is empty.", next_step="Check how it was exported.")
    return digest.hexdigest(), _encoding(raw, path)


def _encoding(raw: BinaryIO, path: Path) -> str:
    """UTF-8 when all of it is, else Windows-1252, else a refusal with the line."""
    faulty = _first_undecodable(raw, "utf-8-sig")
    if faulty is None:
        return "utf-8-sig"
    if _first_undecodable(raw, "cp1252") is None:
        return "cp1252"
    raise BadInput(
        f"{path.name} line {faulty}: neither UTF-8 nor Windows-1252 text.",
        next_step="Export it as CSV in UTF-8.",
    )


def _first_undecodable(raw: BinaryIO, encoding: str) -> int | None:
    raw.seek(0)
    decoder, lines, block = codecs.getincrementaldecoder(encoding)(), 0, b"-"
    while block:
        block = raw.read(BLOCK)
        try:
            decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            # What the decoder looked at may begin with the end of the block before.
            return lines + error.object[: error.start].count(b"\n") + 1
        lines += block.count(b"\n")
    return None


def _header(first: str, path: Path) -> tuple[str, tuple[str, ...]]:
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        names = next(csv.reader([first], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise BadInput(
            f"{path.name} line 1: the header is broken ({error}).",
            next_step="Export it as CSV with a header line.",
        ) from None
    header = tuple(_spelling(name) for name in names)
    _check_header(header, path)
    return delimiter, header


def _spelling(name: str) -> str:
    plain = name.strip().lower()
    return _SPELLINGS.get(plain, plain)


def _check_header(header: tuple[str, ...], path: Path) -> None:
    known = {*FIELDS, *_IGNORED}
    twice = sorted({name for name in header if header.count(name) > 1})
    unknown = [name for name in header if name not in known]
    missing = sorted(_NEEDED - set(header))
    if not {"invoice_id", "tenant_id"} & set(header):
        missing.insert(0, "invoice_id (or tenantId)")
    if {"invoice_id", "tenant_id"} <= set(header):
        raise BadInput(
            f"{path.name} line 1: the header names invoices and tenants.",
            next_step="Leave one of the two columns out, so that there is no doubt.",
        )
    faults = [
        f"{word} {', '.join(names)}"
        for word, names in (("missing:", missing), ("unknown:", unknown), ("twice:", twice))
        if names
    ]
    if faults:
        raise BadInput(
            f"{path.name} line 1: the header does not fit; {'; '.join(faults)}.",
            next_step="The first line must name the columns "
            "invoice_id,unit_id,line_type,description,amount,tax_rate,meta "
            "or tenantId,unitId,lineType,description,amount,taxRate, in any order.",
        )
