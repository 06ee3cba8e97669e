"""Explaining signatures."""
