"""Files of payouts: CSV, XLSX and JSON lines read strictly, and written so that no cell can act."""
