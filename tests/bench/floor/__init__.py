"""What the gateway is measured against: straight-line programs that do the same I/O and no more.

They share no code with the gateway, and are as fast as this stack lets them be: aiohttp's bare
server without routes or middlewares, uvloop, orjson, prepared statements, group commit.
"""
