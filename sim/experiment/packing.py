"""The tables of one replication as one string of bytes.

Arrow's streaming format, one stream a table: workers hand over bytes that are small, quick to make
and quick to read, and the process that collects them need not hold more than these.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from sim.model.records import TABLES

TABLE_NAMES = (*TABLES, "replications")
"""Tables of a run, in the order in which they are packed."""

Packed = bytes
"""Tables of one replication."""


class PackingError(ValueError):
    """Bytes that are not the tables of a replication."""


def pack(tables: Mapping[str, pd.DataFrame], names: Sequence[str] = TABLE_NAMES) -> Packed:
    """The tables of one replication that are named (all) as bytes."""
    import pyarrow as pa

    buffer = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    for name in names:
        table = arrow_table(name, tables[name])
        with pa.ipc.new_stream(buffer, table.schema, options=options) as stream:
            stream.write_table(table)
    return buffer.getvalue()


def unpack(packed: Packed, names: Sequence[str] = TABLE_NAMES) -> dict[str, Any]:
    """The Arrow tables by name, as they were packed. Raises PackingError for other bytes."""
    import pyarrow as pa

    source = pa.BufferReader(packed)
    try:
        return {name: pa.ipc.open_stream(source).read_all() for name in names}
    except (pa.ArrowInvalid, OSError) as error:
        raise PackingError(str(error)) from None


def arrow_table(name: str, frame: pd.DataFrame) -> Any:
    """A frame as an Arrow table of the documented types, without metadata."""
    import pyarrow as pa

    if name == "replications":
        types = {str(column): "float64" for column in frame.columns}
        types["replication"] = "int64"
    else:
        types = {column.name: column.type for column in TABLES[name].columns}
    arrow_types = {
        "int64": pa.int64(),
        "float64": pa.float64(),
        "date": pa.date32(),
        "category": pa.string(),
    }
    schema = pa.schema([(column, arrow_types[kind]) for column, kind in types.items()])
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False, nthreads=1)
    return table.replace_schema_metadata(None)


def frame_of(table: Any) -> pd.DataFrame:
    """An Arrow table as a frame with the types of `sim.model.records.TABLES`."""
    frame: pd.DataFrame = table.to_pandas(date_as_object=False, use_threads=False)
    return frame


def table_in(content: bytes, columns: list[str] | None = None) -> Any:
    """The Arrow table in a Parquet file's bytes.

    Read without Arrow's threads, neither for columns nor for buffering ahead: one that still runs
    while the interpreter ends aborts the process (Arrow's issue 34314; `read_table` has them in
    either case). For parts of this size they gain nothing.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pa.BufferReader(content), pre_buffer=False)
    return file.read(columns=columns, use_threads=False)
