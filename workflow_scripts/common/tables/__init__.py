"""One module per artifact that crosses a file boundary: its columns, types and row class."""
