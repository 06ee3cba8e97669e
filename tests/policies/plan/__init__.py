"""Tests of the month's plan."""
