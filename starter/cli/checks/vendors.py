"""Checks of the systems around: what `motions.toml` says, whose webhooks are taken, HubSpot as the CRM."""

from collections.abc import Iterable

import httpx

from billing.errors import BadInput
from billing.mappings import HubSpotMapping, Mappings, System
from settings import Settings, load_motions
from starter.cli.checks.finding import Finding, failed, ok, warning


async def vendors(settings: Settings) -> list[Finding]:
    """The motions file first: without it nothing else can be told."""
    try:
        mappings = load_motions(settings)
    except BadInput as error:
        return [failed("motions", error.detail, error.next_step or f"correct {settings.motions_file}")]
    found = [_motions(settings), *_doors(settings, mappings)]
    if settings.crm == "hubspot" or settings.secrets_of(System.HUBSPOT):
        found.append(await _hubspot(settings, mappings.hubspot))
    return found


def _motions(settings: Settings) -> Finding:
    if settings.motions_file is None:
        return ok("motions", "none are mapped; set BILLHOOK_MOTIONS_FILE, see examples/motions.toml")
    return ok("motions", f"{settings.motions_file} can be read")


def _doors(settings: Settings, mappings: Mappings) -> Iterable[Finding]:
    """A door that is open and maps nothing ignores whatever comes."""
    maps = {
        System.GITHUB: ("[[github.milestones]]", mappings.github.milestones),
        System.LINEAR: ("[[linear.projects]]", mappings.linear.projects),
        System.JIRA: ("[[jira.versions]]", mappings.jira.versions),
        System.HUBSPOT: ("[[hubspot.won]]", mappings.hubspot.won),
        System.STRIPE: ("[stripe]", mappings.stripe),
        System.GENERIC: ("[generic.types]", mappings.generic.types),
        System.CLOUDEVENTS: ("[cloudevents.types]", mappings.cloudevents.types),
    }
    for system, (key, mapped) in maps.items():
        item = f"webhooks of {system.value}"
        if settings.secrets_of(system) and not mapped:
            yield warning(item, "they are taken and bill nothing", f"add {key} to motions.toml")
        elif settings.secrets_of(system):
            yield ok(item, "they are taken")
        elif mapped:
            yield warning(item, f"{key} maps them and none is taken", f"set BILLHOOK_{system.name}_SECRET")


async def _hubspot(settings: Settings, mapping: HubSpotMapping) -> Finding:
    """The token opens, and with HubSpot as the CRM every property that is written is there."""
    from connectors.http import BadAnswer, CallFailed, build_client  # noqa: PLC0415
    from connectors.hubspot import HubSpot  # noqa: PLC0415

    wanted = {"companies": set(mapping.company_names.values()), "deals": set(mapping.deal_names.values())}
    try:
        async with build_client(settings.outbound_urls) as client:
            hubspot = HubSpot(client, settings.hubspot_url, settings.hubspot_token)
            lacking = {kind: names - await hubspot.property_names(kind) for kind, names in wanted.items()}
    except BadInput as error:
        return failed("hubspot", error.detail, error.next_step)
    except (CallFailed, BadAnswer, httpx.InvalidURL) as error:
        return failed("hubspot", f"{settings.hubspot_url}: {error}", "check BILLHOOK_HUBSPOT_TOKEN and its scopes")
    missing = [f"{kind}: {', '.join(sorted(names))}" for kind, names in lacking.items() if names]
    if settings.crm != "hubspot" or not missing:
        return ok("hubspot", f"{settings.hubspot_url} knows the token")
    return failed(
        "hubspot",
        f"it lacks properties of {'; '.join(missing)}",
        'make them as text in HubSpot (Settings, Properties), or name others, or "", in motions.toml',
    )
