"""A load at a fixed rate, as a process of its own: events are signed beforehand, and each has its time to be sent.

    python -m bench.load URL RATE SECONDS < {"secret": "whsec_...", "invoices": [[external id, key], ...]}

An answer's delay counts from the moment at which its event was due, so that a slow answer cannot thin the load out and
hide what the next ones would have waited. Prints one line of JSON.
"""

import asyncio
import json
import sys
import time
import uuid
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from standardwebhooks.webhooks import Webhook

CONNECTIONS = 64
# Far more than a door that keeps up needs at once.
_KINDS = ("invoice.viewed", "invoice.amended", "invoice.commented")
# The last is one that the dispatcher ignores by itself.


def request(host: str, secret: Webhook, invoices: list[tuple[str, str]], number: int) -> bytes:
    """One signed event as bytes on the wire."""
    event_id, now = f"evt_{uuid.uuid4().hex}", datetime.now(UTC)
    external_id, key = invoices[number % len(invoices)]
    kind = _KINDS[number // len(invoices) % len(_KINDS)]
    data: dict[str, Any] = {"invoice_id": external_id, "reference": key, "version": 1, "status": "sent"}
    if kind == "invoice.amended":
        data |= {"changes": {"po_number": {"from": None, "to": f"PO-{number}"}}}
    body = json.dumps({"id": event_id, "type": kind, "created_at": now.isoformat(), "data": data})
    head = {
        "host": host,
        "content-type": "application/json",
        "content-length": str(len(body.encode())),
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": secret.sign(event_id, now, body),
    }
    lines = "\r\n".join(f"{name}: {value}" for name, value in head.items())
    return f"POST /webhooks/jupiter HTTP/1.1\r\n{lines}\r\n\r\n{body}".encode()


async def connection(
    host: str, port: int, due: asyncio.Queue[tuple[float, bytes]], delays: list[float], statuses: Counter[str]
) -> None:
    """Sends what is due, one at a time, and notes how long after its time each was answered."""
    reader, writer = await asyncio.open_connection(host, port)
    while True:
        at, message = await due.get()
        writer.write(message)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        await reader.readexactly(length)
        delays.append(1000 * (time.perf_counter() - at))
        statuses[head[9:12].decode()] += 1
        due.task_done()


async def main(url: str, rate: float, seconds: float, secret: str, invoices: list[tuple[str, str]]) -> dict[str, Any]:
    place = urlsplit(url)
    host, port = place.hostname or "127.0.0.1", place.port or 80
    signer, count = Webhook(secret), int(rate * seconds)
    messages = [request(f"{host}:{port}", signer, invoices, number) for number in range(count)]
    due: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    delays: list[float] = []
    statuses: Counter[str] = Counter()
    senders = [asyncio.create_task(connection(host, port, due, delays, statuses)) for _ in range(CONNECTIONS)]
    started = time.perf_counter() + 0.1
    for number, message in enumerate(messages):
        at = started + number / rate
        if (early := at - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        due.put_nowait((at, message))
    joined = asyncio.create_task(due.join())
    await asyncio.wait([joined, *senders], return_when=asyncio.FIRST_COMPLETED)
    took = time.perf_counter() - started
    for sender in senders:
        if sender.done():
            sender.result()
        sender.cancel()
    return {"sent": len(messages), "seconds": took, "delays": delays, "statuses": statuses}


if __name__ == "__main__":
    url, rate, seconds = sys.argv[1:]
    print(json.dumps(asyncio.run(main(url, float(rate), float(seconds), **json.load(sys.stdin)))))
