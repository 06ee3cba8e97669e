"""Tests of the Circle Mint simulator."""
