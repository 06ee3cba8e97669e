"""The audit log's outside."""
