"""How fast the trainer trains, beside a plain loop; `benchmarks/train_throughput.py` is the command."""
