"""Webhooks on their way out: where they may go, how they are signed, how they are sent."""
