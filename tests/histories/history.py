"""Recorded histories as files: what the server wrote, without anything of the machine that it was written on.

One event a line, so that a difference reads. Left out is what only that machine or that moment meant (process and host,
request and task ids, sizes, stack traces, the name of a worker's own queue); addresses inside payloads are made ones.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from temporalio.client import WorkflowHistory

FOLDER: Final = Path(__file__).parent
_OUT: Final = frozenset(
    {
        "taskId",
        "requestId",
        "historySizeBytes",
        "meteringMetadata",
        "stackTrace",
        "inheritedBuildId",
        "sourceVersionStamp",
    }
)
_MADE: Final = (
    (re.compile(r"https?://(?:127\.0\.0\.1|localhost)(?::\d+)?"), "https://pay.example"),
    (re.compile(r"(?:127\.0\.0\.1|localhost):\d+"), "pay.example"),
    (re.compile(r"billhook-[0-9a-f]{8}\b"), "billhook"),
)


def write(name: str, history: WorkflowHistory) -> Path:
    """The file that it was kept in."""
    events = [json.dumps(_scrubbed(event), separators=(",", ":")) for event in json.loads(history.to_json())["events"]]
    path = FOLDER / f"{name}.json"
    head = f'{{"workflowId":{json.dumps(history.workflow_id)},"events":[\n'
    path.write_text(head + ",\n".join(events) + "\n]}\n")
    return path


def read(path: Path) -> WorkflowHistory:
    found = json.loads(path.read_text())
    return WorkflowHistory.from_json(found["workflowId"], {"events": found["events"]})


def paths() -> list[Path]:
    return sorted(FOLDER.glob("*.json"))


def texts(path: Path) -> str:
    """All that stands in the file, payloads decoded."""
    return "\n".join(_texts(json.loads(path.read_text())))


def _texts(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _texts(part, name)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part, key)
    else:
        yield b64decode(value).decode() if key == "data" else str(value)


def _scrubbed(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        kept = {name: _scrubbed(part, name) for name, part in value.items() if name not in _OUT}
        return _plain_queue(kept) if key == "taskQueue" else kept
    if isinstance(value, list):
        return [_scrubbed(part, key) for part in value]
    if isinstance(value, str):
        return _text(value, key)
    return value


def _text(value: str, key: str) -> str:
    if key == "identity":
        return "worker"
    if key == "data":
        return b64encode(_made(b64decode(value).decode()).encode()).decode()
    return _made(value)


def _made(text: str) -> str:
    for pattern, words in _MADE:
        text = pattern.sub(words, text)
    return text


def _plain_queue(queue: dict[str, Any]) -> dict[str, Any]:
    return {"name": queue.get("normalName", queue["name"]), "kind": "TASK_QUEUE_KIND_NORMAL"}
