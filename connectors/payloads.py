"""What Temporal keeps of an invoice, sealed: workflow arguments, results, signals, failures and summaries leave this
process as AES-256-GCM, and come back as they were.

A payload that nobody sealed is read as it is, so that sealing can be switched on while invoices wait. Workflow ids,
names of types and signals, and search attributes are what the server itself searches and routes by: they stay clear.

UnreadablePayload      503  the keys we hold do not open it
└── UnknownPayloadKey       none of them has the id that it names
"""

import dataclasses
import os
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes, PayloadCodec

from billing.errors import BillhookError
from billing.payload_keys import PayloadKeys

ENCODING: Final = b"binary/encrypted"
# What Temporal's own samples call it: the UI shows such a payload as encrypted where it has no codec server.
KEY_ID: Final = "encryption-key-id"
_NONCE_BYTES: Final = 12
# Random for each payload, as SP 800-38D (8.2.2) has it: 2^32 payloads by one key at most, see docs/security.md.


class UnreadablePayload(BillhookError):
    """A sealed payload that does not open."""

    status = 503
    slug = "unreadable-payload"

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"a payload does not open with the key {key_id!r}: it was changed, or that id once stood for another key",
            next_step="put the key that this id had first into BILLHOOK_PAYLOAD_KEYS",
        )


class UnknownPayloadKey(UnreadablePayload):
    """A payload sealed with a key that we do not hold."""

    slug = "unknown-payload-key"

    def __init__(self, key_id: str) -> None:
        BillhookError.__init__(
            self,
            f"a payload is sealed with the key {key_id!r}, which BILLHOOK_PAYLOAD_KEYS does not hold",
            next_step="add that key behind the first one, in every process; it may go when nothing it sealed is left",
        )


class SealingCodec(PayloadCodec):
    """The first of `keys` seals, each of them opens."""

    def __init__(self, keys: PayloadKeys) -> None:
        self._ciphers = {name: AESGCM(key) for name, key in keys.by_id.items()}
        self._sealing = keys.sealing

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Each sealed on its own, its metadata too."""
        return [self._sealed(one) for one in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """What is not sealed stays as it is. Raises UnknownPayloadKey, UnreadablePayload."""
        return [self._opened(one) if is_sealed(one) else one for one in payloads]

    def _sealed(self, payload: Payload) -> Payload:
        nonce, name = os.urandom(_NONCE_BYTES), self._sealing.encode()
        sealed = self._ciphers[self._sealing].encrypt(nonce, payload.SerializeToString(), name)
        return Payload(metadata={"encoding": ENCODING, KEY_ID: name}, data=nonce + sealed)

    def _opened(self, payload: Payload) -> Payload:
        name = key_id(payload)
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise UnknownPayloadKey(name)
        nonce, sealed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
        try:
            return Payload.FromString(cipher.decrypt(nonce, sealed, payload.metadata[KEY_ID]))
        except (InvalidTag, ValueError) as error:
            raise UnreadablePayload(name) from error


def is_sealed(payload: Payload) -> bool:
    """Whether it takes a key to read it."""
    return payload.metadata.get("encoding") == ENCODING


def key_id(payload: Payload) -> str:
    """Which key a sealed payload names, in letters that are safe to show."""
    return payload.metadata.get(KEY_ID, b"").decode("ascii", errors="replace")[:64]


def data_converter(keys: PayloadKeys) -> DataConverter:
    """How every client of ours writes and reads payloads; without keys, in the clear."""
    if not keys:
        return pydantic_data_converter
    return dataclasses.replace(
        pydantic_data_converter,
        payload_codec=SealingCodec(keys),
        # The words and traces of a failure tell amounts and names as well as any payload.
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )
