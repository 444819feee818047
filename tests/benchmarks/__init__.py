"""Figures by `make bench`: medians and ratios within one run; nothing here asserts on wall time."""
