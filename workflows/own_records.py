"""What is asked of our own records: short questions as local activities, which carry the news as well."""

from temporalio import workflow

from activities.signatures import AUTHORIZE, SAVE_RECORD, A, Authorize, Q, Request, Signature, Verdict
from billing.decisions import Action
from billing.errors import Forbidden
from billing.intent import Commercial
from workflows import options
from workflows.state import InvoiceState


class OwnRecords:
    """One for each invoice."""

    def __init__(self, state: InvoiceState, triggered_by: str) -> None:
        self._state = state
        self._triggered_by = triggered_by

    async def ask(self, signature: Signature[Q, A], request: Q) -> A:
        """One short question; it carries the news."""
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
            raise Forbidden(verdict.refusal)
        return verdict

    async def tell(self) -> None:
        """Records what is new, if anything is, where no step follows to carry it."""
        if self.has_news:
            await self.ask(SAVE_RECORD, Request(key=self._state.key))

    @property
    def has_news(self) -> bool:
        return not self._state.news.is_told
