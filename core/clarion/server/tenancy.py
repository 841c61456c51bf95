"""Whose call it is."""

from __future__ import annotations

import grpc.aio

DEFAULT_TENANT = "default"


def tenant_of(context: grpc.aio.ServicerContext) -> str:  # type: ignore[type-arg]  # of any messages
    """Return the tenant of a call, from its credential and never from a name in the request.

    Calls carry no credential yet, so there is one tenant.
    """
    return DEFAULT_TENANT
