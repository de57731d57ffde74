"""Where the Temporal UI shows a workflow of ours."""

from urllib.parse import quote


def workflow_url(ui: str, workflow_id: str) -> str:
    """Empty without a UI; one without a namespace in its address is asked for the default one."""
    if not ui:
        return ""
    base = ui.rstrip("/") if "/namespaces/" in ui else f"{ui.rstrip('/')}/namespaces/default"
    return f"{base}/workflows/{quote(workflow_id, safe='')}"
