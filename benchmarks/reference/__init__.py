"""Plain versions of what ``dcodr`` does, as the official code does it: correct to the eye, step by step.

The benchmarks measure against them, and the tests of ``tests/benchmarks/`` hold the two equal.
"""
