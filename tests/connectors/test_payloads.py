"""Sealed payloads: nobody without the key reads them, and everybody with it reads all that was ever written."""

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError

from billing.events import EventType
from billing.payload_keys import PayloadKeys, new_key
from connectors.payloads import KEY_ID, UnknownPayloadKey, UnreadablePayload, data_converter, is_sealed

_OLD, _NEW = new_key("2026-05"), new_key("2026-11")
_WORDS = "Design approved by Northwind"


def converter(*keys: str) -> DataConverter:
    return data_converter(PayloadKeys.parse(",".join(keys)))


async def sealed(*keys: str, words: str = _WORDS) -> Payload:
    (payload,) = await converter(*keys).encode([words])
    return payload


async def read(payload: Payload, *keys: str) -> str:
    (found,) = await converter(*keys).decode([payload], [str])
    return str(found)


async def test_what_is_sealed_shows_neither_its_words_nor_its_kind_and_opens_as_it_was() -> None:
    payload = await sealed(_NEW)
    assert is_sealed(payload)
    assert payload.metadata[KEY_ID] == b"2026-11"
    assert not any(part in payload.SerializeToString() for part in (b"Design", b"json/plain"))
    assert await read(payload, _NEW) == _WORDS


async def test_the_same_words_are_never_sealed_to_the_same_bytes() -> None:
    assert len({(await sealed(_NEW)).data for _ in range(50)}) == 50


async def test_the_first_key_seals_and_each_one_opens() -> None:
    before = await sealed(_OLD)
    after = await sealed(_NEW, _OLD)
    assert after.metadata[KEY_ID] == b"2026-11"
    assert [await read(one, _NEW, _OLD) for one in (before, after)] == [_WORDS, _WORDS]


async def test_what_was_written_in_the_clear_is_still_read() -> None:
    clear = await sealed()
    assert not is_sealed(clear)
    assert await read(clear, _NEW) == _WORDS


async def test_a_key_that_is_not_held_is_named() -> None:
    payload = await sealed(_OLD)
    with pytest.raises(UnknownPayloadKey, match="'2026-05', which BILLHOOK_PAYLOAD_KEYS does not hold"):
        await read(payload, _NEW)


async def test_without_any_key_what_is_sealed_is_no_empty_answer() -> None:
    with pytest.raises(Exception, match="binary/encrypted"):
        await read(await sealed(_NEW))


@pytest.mark.parametrize("what", ["a bit", "the end", "everything", "its key's id"])
async def test_what_was_changed_does_not_open(what: str) -> None:
    payload = await sealed(_OLD)
    match what:
        case "a bit":
            payload.data = payload.data[:-1] + bytes([payload.data[-1] ^ 1])
        case "the end":
            payload.data = payload.data[:-4]
        case "everything":
            payload.data = b""
        case _:
            payload.metadata[KEY_ID] = b"2026-11"
    with pytest.raises(UnreadablePayload, match="does not open") as refused:
        await read(payload, _OLD, _NEW)
    assert not isinstance(refused.value, UnknownPayloadKey)


async def test_a_failure_tells_no_words_and_comes_back_with_them() -> None:
    mine, failure = converter(_NEW), Failure()
    await mine.encode_failure(ApplicationError(_WORDS, {"total": "12500.00"}, type="refused"), failure)
    assert not any(part in failure.SerializeToString() for part in (b"Design", b"12500"))
    found = await mine.decode_failure(failure)
    assert isinstance(found, ApplicationError)
    assert (found.message, found.details, found.type) == (_WORDS, ({"total": "12500.00"},), "refused")


async def test_our_own_models_and_enums_are_read_as_before() -> None:
    mine = converter(_NEW)
    (found,) = await mine.decode(await mine.encode([EventType.VIEWED]), [EventType])
    assert found is EventType.VIEWED
