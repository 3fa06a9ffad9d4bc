"""Log records as compressed columnar blocks: numpy does the work per record, Python only the work per block."""
