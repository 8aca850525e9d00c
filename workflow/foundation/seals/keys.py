"""The keys of the seals (封印的密钥): outside the database, so that its owner cannot seal."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256

from workflow.foundation.settings import Settings

_PURPOSE, _NAME = b"zhibu: seals of the history", b"zhibu: name of a key"


@dataclass(frozen=True)
class SealKeys:
    """The key that seals, and all keys that are known, by their names."""

    present: str
    """The name of the key that seals now."""
    known: dict[str, bytes]

    def sign(self, message: bytes) -> bytes:
        """Return the HMAC of a message under the present key."""
        return _mac(self.known[self.present], message)

    def signed(self, name: str, message: bytes, mac: bytes) -> bool:
        """Tell whether this is the HMAC under the key of this name, which is known."""
        return hmac.compare_digest(_mac(self.known[name], message), mac)


def seal_keys(settings: Settings) -> SealKeys | None:
    """Derive the keys from ``ZHIBU_SEAL_KEY`` and ``ZHIBU_SECRET_KEY``; None if both are missing.

    The first of ``ZHIBU_SEAL_KEY`` seals, or else the secret key. All others prove what was sealed
    with them. Each is derived alike, so a secret key that is replaced goes on as a seal key.
    """
    words = settings.seal_key.get_secret_value().split(",") if settings.seal_key else []
    words += [settings.secret_key.get_secret_value()] if settings.secret_key else []
    keys = {_mac(key, _NAME).hex()[:16]: key for key in (_mac(word.strip().encode(), _PURPOSE) for word in words)}
    return SealKeys(next(iter(keys)), keys) if keys else None


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, sha256).digest()
