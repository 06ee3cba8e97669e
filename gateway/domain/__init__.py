"""What a payout is and which moves it may make: pure values and functions, no I/O and no clock."""
