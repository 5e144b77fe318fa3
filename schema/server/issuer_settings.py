"""The settings of identity providers: whose tokens are accepted, and which grants claims are mapped to."""

from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from schema.server.origins import is_loopback
from schema.server.settings_section import Section
from stores.entities.organizations import is_organization_id

RoleName = Literal["viewer", "editor", "admin", "operator"]
# Asymmetric algorithms only: with a symmetric one, whoever can check a token can also make one.
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


class ClaimLimits(Section):
    """Limits of each subject of these tokens, in place of those of the settings."""

    cost_per_minute: int | None = Field(
        default=None, ge=1, description="The cost of its requests in a minute."
    )
    concurrent_requests: int | None = Field(
        default=None, ge=1, description="The number of its requests at the same time."
    )


class ClaimGrant(Section):
    """The rights of the tokens in which a claim has a value."""

    claim: str = Field(
        min_length=1,
        description="The name of the claim, such as groups, or a path with dots to a nested one, such as"
        " realm_access.roles.",
    )
    value: str = Field(description="The value of the claim. A list matches if it contains the value.")
    role: RoleName | None = Field(
        default=None, description="The role of these tokens. Null permits neither reading nor changing."
    )
    ingest: bool = Field(default=False, description="Permit writing points.")
    organizations: tuple[str, ...] = Field(
        default=(),
        description="The organizations that these tokens may access. For the role operator: none, it may"
        " access all of them.",
    )
    applications: tuple[str, ...] | None = Field(
        default=None,
        description="The applications of these organizations that these tokens may access. Null: all of"
        " them.",
    )
    limits: ClaimLimits = ClaimLimits()

    @field_validator("organizations")
    @classmethod
    def _check_organizations(cls, organizations: tuple[str, ...]) -> tuple[str, ...]:
        for organization_id in organizations:
            if not is_organization_id(organization_id):
                raise ValueError(f"{organization_id!r} is not an organization id")
        return organizations

    @model_validator(mode="after")
    def _check_rights(self) -> Self:
        if self.role is None and not self.ingest:
            raise ValueError("a grant needs a role, or ingest")
        if self.role == "operator" and (self.organizations or self.applications is not None):
            raise ValueError("an operator may access everything: name no organizations and applications")
        if self.role != "operator" and not self.organizations:
            raise ValueError("name the organizations of the grant")
        return self


class IssuerSettings(Section):
    """An identity provider whose tokens are accepted."""

    issuer: str = Field(
        description="The URL of the identity provider, exactly as its tokens have it in the claim iss."
    )
    audience: str = Field(
        min_length=1, description="The name of the gateway at the provider: what tokens for it have in aud."
    )
    jwks: str | None = Field(
        default=None,
        description="The URL or the file of the provider's public keys. Null finds them by the document"
        " .well-known/openid-configuration below `issuer`.",
    )
    algorithms: tuple[Algorithm, ...] = Field(
        default=("RS256", "ES256"), description="The algorithms that tokens may be signed with."
    )
    subject: str = Field(
        default="sub",
        min_length=1,
        description="The claim that names the user or program. Its name for the gateway is `issuer|value`.",
    )
    grants: tuple[ClaimGrant, ...] = Field(
        description="The rights of tokens by their claims. The first entry that matches decides, and a token"
        " without a match is answered FORBIDDEN (403).",
    )

    @field_validator("issuer")
    @classmethod
    def _check_issuer(cls, issuer: str) -> str:
        return check_url(issuer)

    @field_validator("jwks")
    @classmethod
    def _check_jwks(cls, jwks: str | None) -> str | None:
        return check_url(jwks) if jwks is not None and is_url(jwks) else jwks


class AuthSettings(Section):
    """Who may use the gateway, besides the holders of its API keys."""

    issuers: tuple[IssuerSettings, ...] = Field(
        default=(),
        description="The identity providers whose tokens are accepted. As soon as there is one, credentials"
        " are required. docs/security.md has an example.",
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="A token that reads `/metrics` and nothing else, for a monitoring system. Null: only"
        " operators read it.",
    )

    @field_validator("issuers")
    @classmethod
    def _check_names(cls, issuers: tuple[IssuerSettings, ...]) -> tuple[IssuerSettings, ...]:
        if len({settings.issuer for settings in issuers}) < len(issuers):
            raise ValueError("an issuer is named twice")
        return issuers


def is_url(location: str) -> bool:
    """Whether a location is a URL rather than the path of a file."""
    return "://" in location


def check_url(url: str) -> str:
    """The URL. Raises `ValueError` if what is read there could have been changed on its way."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not host or "@" in parts.netloc:
        raise ValueError("it must be an https:// URL without a user name")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise ValueError("the URL must start with https://; http:// is for this machine only")
    return url
