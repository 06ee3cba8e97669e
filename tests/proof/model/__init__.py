"""L0: exhaustive search of the attempt protocol, over the real pure rules.

One payout, two workers, three channels, two sends an attempt. See NOTES.md beside this file for
what is searched, what is assumed and how to read a story.
"""
