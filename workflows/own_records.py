"""What is asked of our own records: short questions as local activities, which carry the news as well."""

from temporalio import workflow

from activities.signatures import AUTHORIZE, SAVE_RECORD, A, Authorize, Q, Request, Signature, Verdict
from billing.decisions import SOMEBODY_ELSE, Action
from billing.errors import Forbidden
from billing.intent import Commercial
from workflows import options, priorities
from workflows.state import InvoiceState


class OwnRecords:
    """One for each invoice.

    An update stands in the history only once the task that heard it completes: should the server be lost before that,
    nobody remembers it, and nobody asks again. So what comes of one is told by an activity of its own, which begins
    after that task, and never by a local one, which runs within it.
    """

    def __init__(self, state: InvoiceState, triggered_by: str) -> None:
        self._state = state
        self._triggered_by = triggered_by
        self._updates = 0
        self._updates_kept = 0
        self._telling = 0

    def update_came(self) -> None:
        """See above."""
        self._updates += 1

    async def ask(self, signature: Signature[Q, A], request: Q) -> A:
        """One short question; it carries the news."""
        await self._tell_unwritten()
        return await self._ask(signature, request)

    async def _ask(self, signature: Signature[Q, A], request: Q) -> A:
        record = self._state.record()
        answer: A = await workflow.execute_local_activity(
            signature.name,
            request.model_copy(update={"record": record}),
            result_type=signature.answers,
            summary=signature.words,
            **options.RECORDS,
        )
        self._state.news.mark_told(record)
        return answer

    async def authorize(
        self, action: Action, actor: str, commercial: Commercial | None = None, approved_by: tuple[str, ...] = ()
    ) -> Verdict:
        """May he? Raises Forbidden. It carries no news, so that handlers may ask while a step is under way."""
        wish = Authorize(
            key=self._state.key,
            actor=actor,
            action=action,
            commercial=commercial or self._state.commercial,
            triggered_by=self._triggered_by,
            approved_by=approved_by,
        )
        verdict: Verdict = await workflow.execute_local_activity(
            AUTHORIZE.name, wish, result_type=AUTHORIZE.answers, summary=AUTHORIZE.words, **options.RECORDS
        )
        if verdict.refusal:
            raise Forbidden(verdict.refusal, next_step=SOMEBODY_ELSE)
        return verdict

    async def tell(self) -> None:
        """Records what is new, if anything is, where no step follows to carry it."""
        await self._tell_unwritten()
        if self.has_news:
            await self._ask(SAVE_RECORD, Request(key=self._state.key))

    async def _tell_unwritten(self) -> None:
        """What may have come of an update goes after the task. Whoever finds it being told already waits for that."""
        while self._is_unwritten and self.has_news:
            if self._is_being_told:
                await workflow.wait_condition(lambda: not (self.has_news and self._is_being_told))
            else:
                await self._tell_after_task()

    async def _tell_after_task(self) -> None:
        record, updates = self._state.record(), self._updates
        self._telling = record.sequence
        await workflow.execute_activity(
            SAVE_RECORD.name,
            Request(key=self._state.key, record=record),
            result_type=SAVE_RECORD.answers,
            summary=SAVE_RECORD.words,
            priority=priorities.ANSWERED,
            **options.after_task(),
        )
        self._state.news.mark_told(record)
        self._updates_kept = max(self._updates_kept, updates)

    @property
    def _is_being_told(self) -> bool:
        return self._state.news.sequence <= self._telling

    @property
    def _is_unwritten(self) -> bool:
        return self._updates > self._updates_kept

    @property
    def has_news(self) -> bool:
        return not self._state.news.is_told
