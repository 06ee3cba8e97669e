"""A stock Jeepay server (`/api/transferOrder`, `/api/transfer/query`) with its real defects."""
