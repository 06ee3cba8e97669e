"""The audit log's outside: its key, where checkpoints go, and the merchant's own check."""
