"""Why a signature does not fit: what is signed, in which order, and with which mistake. Pure."""
