"""What other platforms got wrong, as acceptance tests: dialects.md §5, numbered as there."""
