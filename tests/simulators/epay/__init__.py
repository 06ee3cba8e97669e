"""Tests of the Epay simulator."""
