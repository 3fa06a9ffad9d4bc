"""The shelves: contracts in `base`, one module per backend, chosen in `choose_*`."""
