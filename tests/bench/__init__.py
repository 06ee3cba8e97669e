"""Benchmarks: programs that measure, run by make and not by the test suite."""
