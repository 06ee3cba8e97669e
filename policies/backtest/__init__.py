"""What a policy would have done: history through `decide`, priced exactly, judged fairly."""
