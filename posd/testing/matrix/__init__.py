"""The matrix: every transaction kind, stopped at every point, over every network fault.

`python -m posd.testing.crash_points` runs it; the tests run the part of it that fits into seconds.
"""
