"""Billhook's own settings, read once at start: `BILLHOOK_` variables, then `.env`, then `billhook.toml`.

A secret may be handed over as a file instead, as Docker and Kubernetes do: `BILLHOOK_JUPITER_API_KEY_FILE` names one
that holds what `BILLHOOK_JUPITER_API_KEY` would. So with every setting among SECRETS.

Temporal's settings are not here; they come from temporalio.envconfig, so that one profile serves every Temporal tool.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from billing import queues
from billing.errors import BadInput, Unreadable
from billing.mappings import System
from billing.motions_file import MotionsFile
from billing.payload_keys import PayloadKeys
from billing.policy import Policy
from billing.queues import Queue
from billing.toml_file import load_toml

_PREFIX: Final = "BILLHOOK_"
_MEND: Final = "mend it in the environment, .env or billhook.toml"
_FOLDER: Final = (
    "name a folder that you may write to, by --data-dir or BILLHOOK_DATA_DIR (for the records: BILLHOOK_DATABASE_URL)"
)
_DOTENV: Final = ".env"
_DRIVERS: Final = {
    "sqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
}

HUBSPOT_RATE: Final = 9.0
# 90 % of 100 requests in 10 s, HubSpot's limit per account for a private app on its smaller plans.

CALLS_AT_ONCE: Final = 10
# 50 calls a second and process where an answer takes 200 ms. The server hands the next one out by rank, and what it has
# handed out no rank overtakes: the fewer are under way, the sooner it is a person's turn.


@dataclass(frozen=True)
class Pool:
    """Connections of one process to PostgreSQL: `size` are kept, `overflow` more are opened when all are in use."""

    size: int = 10
    overflow: int = 5
    # Two APIs, two workers for workflows and two for outside calls have 90 of the 97 that PostgreSQL lends by default.
    wait_s: float = 5
    # As long as SQLite waits for its writer: a local activity has 10 s, and a person no more patience.
    recycle_s: int = 1800
    # Many firewalls forget a connection that was idle for an hour, and tell neither end.
    ping: bool = True

    @property
    def most(self) -> int:
        """That are open at the same time."""
        return self.size + self.overflow


def async_url(url: str) -> str:
    """A database URL with the async driver's name: `postgresql://` and `sqlite:///` as people write them are enough."""
    scheme, separator, rest = url.partition("://")
    return f"{_DRIVERS.get(scheme, scheme)}{separator}{rest}"


def _listed(secrets: SecretStr) -> list[str]:
    return [secret.strip() for secret in secrets.get_secret_value().split(",") if secret.strip()]


def _free(task_queue: str) -> str:
    if queues.is_of_runs(task_queue):
        raise ValueError(f"{task_queue!r} ends like a queue of runs; choose another name, for example billhook")
    return task_queue


def _keys(text: SecretStr) -> SecretStr:
    PayloadKeys.parse(text.get_secret_value())
    return text


class SecretFiles(PydanticBaseSettingsSource):
    """What the files hold that `BILLHOOK_..._FILE` names, in one place where settings stand."""

    def __init__(self, settings_cls: type[BaseSettings], place: Mapping[str, Any]) -> None:
        super().__init__(settings_cls)
        self._place = place

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """A secret's text, or None where no file is named. Raises BadInput naming the setting."""
        file = self._named(f"{field_name}_file")
        if not file:
            return None, field_name, False
        text = secret_in(f"{_PREFIX}{field_name}_FILE".upper(), Path(str(file)))
        if self._named(field_name) not in {None, "", text}:
            setting = f"{_PREFIX}{field_name}".upper()
            raise BadInput(setting, "it is set, and so is its file, which says something else", "keep one of both")
        return text, field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(self.settings_cls.model_fields[name], name)[0] for name in SECRETS}
        return {name: text for name, text in found.items() if text is not None}

    def _named(self, name: str) -> Any:
        """As environments spell it, with the prefix, or as TOML does."""
        return self._place.get(f"{_PREFIX}{name}".lower()) or self._place.get(name)


def secret_in(setting: str, file: Path) -> str:
    """The text of a secret's file, without the line's end. Raises BadInput naming `setting`, never what was read."""
    text = _text_in(setting, file, _MEND).strip()
    if not text:
        raise BadInput(setting, f"{file} is empty", "put the secret into it, or do not name it")
    return text


def _text_in(field: str, file: Path, next_step: str) -> str:
    """Raises Unreadable naming `field`."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(field, file, error, next_step) from None


class TomlFile(TomlConfigSettingsSource):
    """What `billhook.toml` holds. Raises BadInput naming the file, with the line where it is no TOML."""

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        step = f"correct the file, or run where there is no {file_path}"
        return load_toml(_text_in(str(file_path), file_path, step), str(file_path), step)


class Settings(BaseSettings):
    """Every setting with its default. What may hold a password stays out of `repr`."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_file=_DOTENV, toml_file="billhook.toml", extra="ignore", frozen=True
    )

    data_dir: Path = Path(".billhook")
    database_url: str | None = Field(default=None, repr=False)
    database_pool_size: int = Field(default=Pool.size, ge=1, le=1000)
    database_pool_overflow: int = Field(default=Pool.overflow, ge=0, le=1000)
    # connections to PostgreSQL that each process keeps, and how many more it opens while all of those are in use. Times
    # the number of processes this is what the server's max_connections has to bear, with some left for commands
    database_pool_wait_s: float = Field(default=Pool.wait_s, gt=0, le=60)
    # how long a request or a step waits for a connection before it is told to come again
    database_pool_recycle_s: int = Field(default=Pool.recycle_s, ge=1)
    # a connection older than this is replaced before it is used again; less than what lies between keeps it open idle
    database_pool_ping: bool = Pool.ping
    # whether each is asked first if it still lives, which finds a server that was restarted and costs a round trip
    jupiter_url: str | None = None
    jupiter_api_key: SecretStr | None = None
    jupiter_wire: dict[str, str] = {}
    # overrides of the names that connectors/jupiter_wire.py marks as ours
    webhook_secrets: SecretStr = SecretStr("")
    public_url: str = "http://127.0.0.1:8400"
    policy_file: Path | None = None
    motions_file: Path | None = None
    smtp_url: str = Field(default="smtp://127.0.0.1:8425", repr=False)
    mail_from: str = "Billhook <billing@localhost>"
    ledger_file: Path | None = None
    crm: Literal["builtin", "hubspot"] = "builtin"
    hubspot_token: SecretStr = SecretStr("")
    hubspot_url: str = "https://api.hubapi.com"
    # a private app's access token: reads deals that were won and, with crm = "hubspot", writes to companies and deals
    github_secret: SecretStr = SecretStr("")
    linear_secret: SecretStr = SecretStr("")
    jira_secret: SecretStr = SecretStr("")
    hubspot_secret: SecretStr = SecretStr("")
    stripe_secret: SecretStr = SecretStr("")
    generic_secret: SecretStr = SecretStr("")
    cloudevents_secret: SecretStr = SecretStr("")
    # what these systems sign their webhooks with, comma separated while one is rotated; without one their door is shut
    task_queue: Annotated[str, AfterValidator(_free)] = "billhook"
    # what the names of all queues begin with: billing/queues.py
    worker_version: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{0,100}$")] = ""
    # what the workers' code is called, for example the image's tag, where Temporal is to route by it: docs/upgrading.md
    jupiter_rate: float = Field(default=0, ge=0)
    crm_rate: float | None = Field(default=None, ge=0)
    mail_rate: float = Field(default=0, ge=0)
    # steps per second at each outside system, over all workers; 0 is no limit. Set 90 % of what your contract allows: a
    # step makes one call, a rare one two. JupiterInvoice names no limit, and its 429 is waited out; HubSpot names one.
    calls_at_once: int = Field(default=CALLS_AT_ONCE, ge=1, le=30)
    # steps that one worker process has under way at each outside system; all three stay within its 100 connections
    run_most_open: int = Field(default=200, ge=1, le=10_000)
    # invoices of monthly runs that may be on their way at once; the dev server takes a thousand, a cluster more
    payload_keys: Annotated[SecretStr, AfterValidator(_keys)] = SecretStr("")
    # seals what Temporal keeps: `id:base64` of 32 bytes each, comma separated, the first seals; without one it is clear
    log_format: Literal["text", "json"] = "text"
    worker_metrics: str = ""
    temporal_metrics: str = ""
    # where a worker process shows Prometheus its own counts and those of Temporal's SDK, `host:port`, a port alone on
    # this machine only; several processes take the ports from there on. Nobody is asked who he is there: keep it inside
    delivery: Literal["mail", "api"] = "mail"
    carry_po: Literal["customer", "source", "never"] = "customer"
    session_secret: SecretStr = SecretStr("")
    # signs the desk's cookies; several API processes need the same one, without one each start makes its own
    desk_zone: str = "UTC"
    # in which zone the desk shows times to a reader whose browser does not say its own
    temporal_ui_url: str = ""
    # where the desk links a workflow to; without one it shows no link
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    # sign-in at the desk by OpenID Connect, beside tokens; without an issuer there is none
    outbound_hosts: str = ""
    # called beside the hosts of jupiter_url, hubspot_url and oidc_issuer, comma separated: where an issuer keeps its
    # tokens or keys elsewhere. A name alone is https; every other address is refused before the request leaves
    token_rate: float = Field(default=200, ge=0)
    address_rate: float = Field(default=500, ge=0)
    webhook_rate: float = Field(default=2000, ge=0)
    # requests per second of one token, of one address, and of one address that sends webhooks; ten seconds of it may
    # come at once, 0 is no limit. Each API process counts for itself.
    reconcile_minutes: int = Field(default=15, ge=1, le=1440)
    # how long a lost webhook may go unnoticed; a run lists the whole account, a page per hundred invoices
    reconcile_grace_s: int = Field(default=120, ge=0, le=86_400)
    # what changed since is under way: its webhook is on the road, or the provider is redelivering it

    @property
    def database(self) -> str:
        """Where the records are, as an async SQLAlchemy URL."""
        return async_url(self.database_url or f"sqlite:///{self.data_dir / 'billhook.db'}")

    @property
    def pool(self) -> Pool:
        """The connections to `database`, where it is PostgreSQL."""
        return Pool(
            size=self.database_pool_size,
            overflow=self.database_pool_overflow,
            wait_s=self.database_pool_wait_s,
            recycle_s=self.database_pool_recycle_s,
            ping=self.database_pool_ping,
        )

    @property
    def ledger(self) -> Path:
        """The Beancount journal."""
        return self.ledger_file or self.data_dir / "ledger.beancount"

    @property
    def outbound_urls(self) -> list[str]:
        """Where an outside call may go: the scheme, host and port of these."""
        more = [one if "://" in one else f"https://{one}" for one in re.split(r"[,\s]+", self.outbound_hosts) if one]
        return [url for url in (self.jupiter_url, self.hubspot_url, self.oidc_issuer, *more) if url]

    @property
    def rates(self) -> dict[Queue, float]:
        """Steps per second by the outside system's queue; a system without a limit is left out."""
        crm = (HUBSPOT_RATE if self.crm == "hubspot" else 0) if self.crm_rate is None else self.crm_rate
        found = {Queue.JUPITER: self.jupiter_rate, Queue.CRM: crm, Queue.MAIL: self.mail_rate}
        return {queue: rate for queue, rate in found.items() if rate}

    @property
    def sealing_keys(self) -> PayloadKeys:
        """What seals and opens payloads at Temporal; empty where they are clear."""
        return PayloadKeys.parse(self.payload_keys.get_secret_value())

    @property
    def webhook_secret_list(self) -> list[str]:
        """Any of these verifies a webhook; an empty list verifies none."""
        return _listed(self.webhook_secrets)

    def secrets_of(self, system: System) -> list[str]:
        """What this system's webhooks are signed with; any of these verifies, an empty list shuts the door."""
        secret: SecretStr = getattr(self, f"{system.value}_secret")
        return _listed(secret)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """First named wins; a secret's file comes before what the places behind its own hold."""
        toml = TomlFile(settings_cls)
        found: list[PydanticBaseSettingsSource] = [init_settings]
        for source in (env_settings, dotenv_settings, toml):
            place = source.env_vars if isinstance(source, EnvSettingsSource) else toml.init_kwargs
            found += [SecretFiles(settings_cls, place), source]
        return (*found, file_secret_settings)


SECRETS: Final = tuple(
    name for name, field in Settings.model_fields.items() if not field.repr or "SecretStr" in str(field.annotation)
)
"""Every setting that may hold one, and so may be handed over as a file."""


def load_settings() -> Settings:
    """Raises BadInput naming the setting or file that cannot be used; what it was set to may be a secret, and stays
    untold.
    """
    try:
        return Settings()
    except SettingsError as error:
        # It names the field that should hold JSON, and not what it holds.
        raise BadInput("settings", str(error), _MEND) from None
    except (OSError, UnicodeDecodeError) as error:
        # Pydantic reads it before it asks for the other places, whose own readers name theirs.
        raise Unreadable(_DOTENV, _DOTENV, error, "save it as UTF-8, readable for who runs this") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        name = f"{_PREFIX}{'_'.join(str(part) for part in first['loc'])}".upper()
        raise BadInput(name, first["msg"].removeprefix("Value error, "), _MEND) from None


def load_policy(settings: Settings) -> Policy:
    """The policy that the settings name, the built-in one where they name none. Raises BadInput naming the key."""
    return Policy.parse(_named_text("policy_file", settings.policy_file))


def load_motions(settings: Settings) -> MotionsFile:
    """The motions that the settings name, none where they name no file. Raises BadInput naming key and line."""
    return MotionsFile.parse(_named_text("motions_file", settings.motions_file))


def _named_text(setting: str, file: Path | None) -> str:
    name = f"{_PREFIX}{setting}".upper()
    return _text_in(name, file, f"correct {name}, or the file") if file else ""


def make_folder(folder: Path) -> None:
    """The folder that holds the records or all that the stack keeps. Raises BadInput where there can be none."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise no_folder(folder, error) from error


def no_folder(folder: Path, error: OSError) -> BadInput:
    """Why nothing can be kept there, and which settings say where things are kept."""
    why = "it is a file" if isinstance(error, FileExistsError) else error.strerror
    return BadInput("BILLHOOK_DATA_DIR", f"{folder} cannot be used as a folder: {why}", _FOLDER)
