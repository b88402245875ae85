"""Read the columns of a Parquet file, such as the history that Weights & Biases exports."""

from __future__ import annotations

import io

import numpy as np

from .columns import Table, Values
from .source import Source


def read_parquet(source: Source) -> Table:
    """The table of a Parquet file; raises ValueError for a damaged one, ImportError without pyarrow."""
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(io.BytesIO(source.data))
    except pyarrow.ArrowException as error:
        raise ValueError(f"{source.shown} must be a Parquet file: {str(error).splitlines()[0]}") from None

    def load(name: str) -> Values:
        values: Values = file.read(columns=[name]).column(0).to_pandas().to_numpy()
        return values.astype(np.float64) if values.dtype.kind in "iuf" else values.astype(object)

    return Table(file.schema_arrow.names, load, lambda row: f"row {row}")
