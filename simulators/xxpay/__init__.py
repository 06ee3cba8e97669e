"""A stock XxPay server (`/api/agentpay/*`) with its real defects, and the clones' additions."""
