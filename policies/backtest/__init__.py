"""What a policy would have done: history replayed through `decide`, priced exactly, judged fairly."""
