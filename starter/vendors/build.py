"""All systems, as the settings and `motions.toml` have them."""

import binascii
from collections.abc import Callable
from typing import Final

import httpx

from billing.errors import BadInput
from billing.mappings import Mappings, System
from connectors.hubspot import HubSpot
from records.customers import customer_with
from records.session import Database
from settings import Settings
from starter.vendors.calls import Vendor
from starter.vendors.github import GitHub
from starter.vendors.hubspot import HubSpotDeals
from starter.vendors.jira import Jira
from starter.vendors.linear import Linear
from starter.vendors.standard import CloudEvents, Generic
from starter.vendors.stripe import Stripe

Vendors = dict[System, Vendor]
_STANDARD: Final = "copy it again, whsec_ and all: Standard Webhooks secrets are base64"


def build_vendors(settings: Settings, mappings: Mappings, database: Database, http: httpx.AsyncClient) -> Vendors:
    """Those without a secret too: what they stored while they had one is still to be settled.

    Raises BadInput naming the setting whose secret cannot be one.
    """

    async def whose(crm_ref: str) -> str | None:
        async with database.session() as session:
            return await customer_with(session, crm_ref)

    secrets = {system: settings.secrets_of(system) for system in System}
    token = settings.hubspot_token
    hubspot = HubSpot(http, settings.hubspot_url, token) if token.get_secret_value() else None
    vendors: list[Vendor] = [
        GitHub(secrets[System.GITHUB], mappings.github),
        Linear(secrets[System.LINEAR], mappings.linear),
        Jira(secrets[System.JIRA], mappings.jira),
        HubSpotDeals(secrets[System.HUBSPOT], mappings.hubspot, hubspot, whose),
        Stripe(secrets[System.STRIPE], mappings.stripe, whose),
        _standard(System.GENERIC, lambda: Generic(secrets[System.GENERIC], mappings.generic)),
        _standard(System.CLOUDEVENTS, lambda: CloudEvents(secrets[System.CLOUDEVENTS], mappings.cloudevents)),
    ]
    return {vendor.system: vendor for vendor in vendors}


def _standard(system: System, build: Callable[[], Vendor]) -> Vendor:
    try:
        return build()
    except (ValueError, binascii.Error) as error:
        raise BadInput(f"{system.value}_secret", "it is no Standard Webhooks secret", _STANDARD) from error
