"""The animals at 64 px, from a teacher of our own to the paper's Table 2: what `benchmarks/animals.py` calls."""
