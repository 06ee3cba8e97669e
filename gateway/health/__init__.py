"""What replicas tell each other through Redis, and what each does alone when there is none.

Beliefs about channels, the right to send, and wake-ups: hints, all of them. The store is the truth.
"""
