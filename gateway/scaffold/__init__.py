"""`hangdao channel scaffold`: the files of a new kind of channel, and where they are registered."""
