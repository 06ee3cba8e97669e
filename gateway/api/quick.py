"""Requests for payouts go past the application's router: finding the way took as long as a commit.

Both ways end in the same function, which does everything that stands between a request and its
handler (`app._answering`); which of the two was taken nobody can tell from outside.
"""

from collections.abc import Awaitable, Mapping

from aiohttp import hdrs, web

from gateway.api.problems import Handler

QUICK: web.AppKey[Mapping[tuple[str, str], Handler]] = web.AppKey("quick", Mapping)
"""What answers requests to a method and a path without parameters."""


def quicken(server: web.Server, app: web.Application) -> None:
    """Have requests to the application's quick routes answered without its router.

    For a server of that application which has not begun to listen.
    """
    usual, quick = server.request_handler, app[QUICK]

    def handle(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        handler = quick.get((request.method, request.raw_path))
        # Whoever waits for leave to send the body is answered by the application.
        if (
            handler is None
            or hdrs.EXPECT in request.headers
            or not isinstance(request, web.Request)
        ):
            return usual(request)
        return handler(request)

    server.request_handler = handle
