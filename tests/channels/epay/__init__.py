"""Tests of the Epay adapter."""
