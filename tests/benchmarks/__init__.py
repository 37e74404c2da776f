"""What menshun costs, as ratios of one run: `python -m tests.benchmarks`. One module for each figure."""
