"""What other systems' events mean in money: the vendors' part of `motions.toml`.

A webhook says that something happened, a milestone closed or a deal won; it seldom says what that bills to whom. This
schema is where that is declared, and the reason of every event that is ignored names the key here that would map it.
"""

from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from billing.errors import BadInput
from billing.intent import DEFAULT_TERMS, Motion, PaymentTerms
from billing.money import Currency, Money
from billing.motions import TRIGGERS, Id, LineBody, Text
from billing.ownership import RECIPIENT_FIELDS

DEAL_FACTS: Final = ("billed", "total", "invoices")


class System(StrEnum):
    """Where signed webhooks come from, besides the invoicing API."""

    GITHUB = "github"
    LINEAR = "linear"
    JIRA = "jira"
    HUBSPOT = "hubspot"
    STRIPE = "stripe"
    GENERIC = "generic"
    CLOUDEVENTS = "cloudevents"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Bills(_Part):
    """What every entry says: whom it bills, in which currency, on which terms."""

    customer: Id
    currency: Currency
    payment_terms: PaymentTerms = DEFAULT_TERMS


class _Priced(_Bills):
    """One `amount` with a `description`, or `lines`."""

    amount: str | None = None
    description: Text = "{name}"
    lines: Annotated[tuple[LineBody, ...], Field(max_length=500)] = ()

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.amount is None) == (not self.lines):
            raise ValueError("say either amount or lines")
        _checked(self.amount, self.lines, self.currency)
        return self

    def line_items(self, name: str) -> list[LineBody]:
        if self.amount is None:
            return list(self.lines)
        return [LineBody(description=worded(self.description, name=name), unit_price=self.amount)]


class GitHubMilestone(_Bills):
    """A milestone of `repository` (owner/name) whose title fits the pattern `title` bills `amount`."""

    repository: Annotated[str, Field(pattern=r"^[^/\s]+/[^/\s]+$")]
    title: str = "*"
    amount: str
    description: Text = "{title}"
    project: Id | None = None

    @model_validator(mode="after")
    def _amount_holds(self) -> Self:
        _checked(self.amount, (), self.currency)
        return self


class GitHubMapping(_Part):
    milestones: tuple[GitHubMilestone, ...] = ()

    def of(self, repository: str, title: str) -> GitHubMilestone | None:
        """The first entry that fits. GitHub does not tell upper from lower case in a repository's name."""
        fits = (m for m in self.milestones if m.repository.lower() == repository.lower() and _like(title, m.title))
        return next(fits, None)


class LinearProject(_Priced):
    """A completed project whose id is `project`, or whose name fits it as a pattern."""

    project: Annotated[str, Field(min_length=1)]


class LinearMapping(_Part):
    projects: tuple[LinearProject, ...] = ()

    def of(self, project_id: str, name: str) -> LinearProject | None:
        return next((p for p in self.projects if p.project == project_id or _like(name, p.project)), None)


class JiraVersion(_Priced):
    """A released version of `project` (Jira's numeric project id) whose name fits the pattern `version`."""

    project: Annotated[str, Field(pattern=r"^[0-9]+$")]
    version: str = "*"


class JiraMapping(_Part):
    versions: tuple[JiraVersion, ...] = ()

    def of(self, project: str, name: str) -> JiraVersion | None:
        return next((v for v in self.versions if v.project == project and _like(name, v.version)), None)


class WonStage(_Part):
    """A stage, by its internal ids, in which a deal is won."""

    pipeline: Annotated[str, Field(min_length=1)] = "default"
    stage: Annotated[str, Field(min_length=1)] = "closedwon"


def _property_names(names: tuple[str, ...]) -> dict[str, str]:
    return {name: f"billhook_{name}" for name in names}


class HubSpotMapping(_Part):
    """Which deals are won, whose they are, and in which properties HubSpot keeps what Billhook tells it.

    `customers` is company id to our customer; a company that is not in it is looked up by its property
    `customer_property`, then as the `crm_ref` of a customer. A property named "" is not written.
    """

    won: tuple[WonStage, ...] = ()
    customers: dict[str, Id] = {}
    customer_property: str = ""
    currency: Currency | None = None
    payment_terms: PaymentTerms = DEFAULT_TERMS
    company_properties: dict[str, str] = {}
    deal_properties: dict[str, str] = {}

    @model_validator(mode="after")
    def _known_names(self) -> Self:
        for names, known in ((self.company_properties, RECIPIENT_FIELDS), (self.deal_properties, DEAL_FACTS)):
            for name in names:
                if name not in known:
                    raise ValueError(f"{name} is none of {', '.join(known)}")
        return self

    def is_won(self, pipeline: str, stage: str) -> bool:
        return any(won.pipeline == pipeline and won.stage == stage for won in self.won)

    def may_be_won(self, stage: str) -> bool:
        """An event names the stage alone; the pipeline is known once the deal is read."""
        return any(won.stage == stage for won in self.won)

    @property
    def company_names(self) -> dict[str, str]:
        """Recipient-owned field to company property."""
        return {
            field: name for field, name in (_property_names(RECIPIENT_FIELDS) | self.company_properties).items() if name
        }

    @property
    def deal_names(self) -> dict[str, str]:
        """`billed`, `total` and `invoices` to deal properties."""
        return {fact: name for fact, name in (_property_names(DEAL_FACTS) | self.deal_properties).items() if name}

    def company_of(self, customer_id: str) -> str | None:
        """The company that `customers` gives to this customer."""
        return next((company for company, customer in self.customers.items() if customer == customer_id), None)


class StripeMapping(_Part):
    """A subscription whose metadata has `metadata_key` = `metadata_value` is billed here and not by Stripe.

    `customers` is Stripe customer to ours; where it says nothing, the metadata's `customer_key` names our customer,
    else Stripe's id is taken as the `crm_ref` of one.
    """

    metadata_key: Annotated[str, Field(min_length=1)] = "collaborative_invoicing"
    metadata_value: str = "true"
    customer_key: str = "billhook_customer"
    customers: dict[str, Id] = {}
    payment_terms: PaymentTerms = DEFAULT_TERMS
    also_if_stripe_collects: bool = False


class TypeMapping(_Part):
    """Events of one type start `motion`, with their data for a body.

    `fields` takes it from other places (dots for nesting), `set` says what the data does not.
    """

    motion: Motion
    fields: dict[str, str] = {}
    set: dict[str, str] = {}

    @model_validator(mode="after")
    def _fields_of_the_trigger(self) -> Self:
        if self.motion not in TRIGGERS:
            raise ValueError(f"{self.motion.value} has no trigger; use one of {', '.join(TRIGGERS)}")
        known = TRIGGERS[self.motion].model_fields
        for name in (*self.fields, *self.set):
            if name not in known:
                raise ValueError(f"{name} is no field of the {self.motion.value} trigger: {', '.join(known)}")
        return self


class TypesMapping(_Part):
    types: dict[str, TypeMapping] = {}


class Mappings(_Part):
    """The vendors' tables of `motions.toml`."""

    github: GitHubMapping = GitHubMapping()
    linear: LinearMapping = LinearMapping()
    jira: JiraMapping = JiraMapping()
    hubspot: HubSpotMapping = HubSpotMapping()
    stripe: StripeMapping | None = None
    generic: TypesMapping = TypesMapping()
    cloudevents: TypesMapping = TypesMapping()


def worded(template: str, **words: str) -> str:
    """`template` with `{name}` replaced; no other braces mean anything, since the words are somebody else's text."""
    for name, text in words.items():
        template = template.replace(f"{{{name}}}", text)
    return template[:2000]


def _like(text: str, pattern: str) -> bool:
    return fnmatchcase(text.lower(), pattern.lower())


def _checked(amount: str | None, lines: tuple[LineBody, ...], currency: str) -> None:
    """Raises ValueError: money that no trigger would take is found when the file is read, not at the first event."""
    try:
        minor = 1 if amount is None else Money.parse(amount, currency).minor
        for index, line in enumerate(lines):
            line.to_line(f"lines.{index}", currency)
    except BadInput as error:
        raise ValueError(error.detail) from error
    if minor <= 0:
        raise ValueError(f"amount: {amount} is nothing to bill")
