"""What Temporal would bill for a history, by its price list: used by tests and by the bench."""

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory

_BILLED = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
        EventType.EVENT_TYPE_TIMER_STARTED,
        EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
    }
)


def billed_actions(history: WorkflowHistory) -> int:
    """Start, signals, updates, timers, upserts; each activity try; one per task that ran local activities."""
    plain = sum(event.event_type in _BILLED for event in history.events)
    tries = sum(
        event.activity_task_started_event_attributes.attempt or 1
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED
    )
    local_tasks = {
        event.marker_recorded_event_attributes.workflow_task_completed_event_id
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED
        and event.marker_recorded_event_attributes.marker_name == "core_local_activity"
    }
    return plain + tries + len(local_tasks)
