"""The address of a service (监听地址): said in one sentence when it cannot be had."""

from __future__ import annotations

import errno
import socket
import time

from workflow.foundation.errors import Conflict, Words


def must_be_free(port: int, host: str = "127.0.0.1", *, patience_seconds: float = 0) -> None:
    """Raise Conflict unless this process can listen there, and name the address.

    A service that is just ending has ``patience_seconds`` to leave it.
    """
    give_up = time.monotonic() + patience_seconds
    while (refusal := _refusal_to_listen(host, port)) is not None:
        if refusal.errno != errno.EADDRINUSE or time.monotonic() >= give_up:
            raise Conflict(_why(refusal, f"[{host}]:{port}" if ":" in host else f"{host}:{port}"))
        time.sleep(0.1)


def _refusal_to_listen(host: str, port: int) -> OSError | None:
    try:
        [(family, kind, _, _, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            # An address may be bound beside another one's, but not listened at.
            probe.listen()
    except OSError as error:
        return error
    return None


def _why(refusal: OSError, address: str) -> Words:
    if refusal.errno == errno.EADDRINUSE:
        return Words(f"{address} 已被占用，请用 --port 换一个", f"{address} is in use; please choose another with --port")
    if refusal.errno in (errno.EACCES, errno.EPERM):
        en = f"not allowed to listen at {address}; please choose a port above 1023 with --port"
        return Words(f"没有权限监听 {address}，请用 --port 换一个 1023 以上的端口", en)
    return Words(f"本机不能监听 {address}，请检查 --host", f"this machine cannot listen at {address}; please check --host")
