"""Plain versions of parts of ``dcodr``, like the official code: step by step and obviously correct.

The benchmarks compare with them, and the tests in ``tests/benchmarks/`` check that the results are equal.
"""
