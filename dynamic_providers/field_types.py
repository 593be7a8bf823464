"""Strict field types: what passes is not misread by a gateway's question, a filter's text or Exchange.

Every type is an `Annotated[…]` for models; its check lives in `addresses.py` or `wording.py`. A refusal says
what is wrong and what would be right, and never repeats the value (it may be a secret in the wrong place).
"""

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Field

from dynamic_providers import addresses, wording
from dynamic_providers.wording import NAME_LENGTH


def _hint(pattern: str | None = None, *, longest: int | None = None) -> Callable[[dict[str, object]], None]:
    """What an editor is told of a type by the JSON Schema; the validator's check is stricter."""

    def extend(schema: dict[str, object]) -> None:
        if pattern:
            schema["pattern"] = pattern
        if longest:
            schema["maxLength"] = longest

    return extend


_NAME = r"^[^\s/@:;,]+\.[^\s/@:;,]+$"
_ANY_HOST = r"^[^\s/@:;,]+$"
_WORD = r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"
_ADDRESS = r"[0-9]{1,3}(\.[0-9]{1,3}){3}"
_MX = "(" + "|".join(re.escape(suffix) for suffix in addresses.MICROSOFT_MX_SUFFIXES) + r")\.?$"
_SECRET = f"^[A-Za-z0-9]{{{wording.HEADER_VALUE_LEAST},{wording.HEADER_VALUE_MOST}}}$"
_GUID = r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"

Domain = Annotated[str, AfterValidator(addresses.domain), Field(json_schema_extra=_hint(_NAME))]
HostName = Annotated[str, AfterValidator(addresses.host_name), Field(json_schema_extra=_hint(_NAME))]
Host = Annotated[str, AfterValidator(addresses.host), Field(json_schema_extra=_hint(_ANY_HOST))]
IPv4 = Annotated[str, AfterValidator(addresses.ipv4), Field(json_schema_extra=_hint(f"^{_ADDRESS}$"))]
SenderAddress = Annotated[
    str,
    AfterValidator(addresses.sender_address),
    Field(json_schema_extra=_hint(f"^{_ADDRESS}(/(2[4-9]|3[0-2]))?$")),
]
CertificateName = Annotated[
    str, AfterValidator(addresses.certificate_name), Field(json_schema_extra=_hint(_NAME))
]
SmartHost = Annotated[str, AfterValidator(addresses.smart_host), Field(json_schema_extra=_hint(_NAME))]
MicrosoftMx = Annotated[str, AfterValidator(addresses.microsoft_mx), Field(json_schema_extra=_hint(_MX))]
InitialDomain = Annotated[
    str, AfterValidator(addresses.initial_domain), Field(json_schema_extra=_hint(_NAME))
]
MailAddress = Annotated[
    str, AfterValidator(addresses.mail_address), Field(json_schema_extra=_hint(r"^[^\s@]+@[^\s@]+$"))
]
HttpsUrl = Annotated[str, AfterValidator(addresses.https_url), Field(json_schema_extra=_hint(r"^https://"))]
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]

Listener = Annotated[
    str,
    AfterValidator(wording.listener),
    Field(json_schema_extra=_hint(r"^[A-Za-z0-9_.-]+( [A-Za-z0-9_.-]+)*$", longest=NAME_LENGTH)),
]
GroupName = Annotated[str, AfterValidator(wording.group_name), Field(json_schema_extra=_hint(_WORD))]
PolicyName = Annotated[str, AfterValidator(wording.policy_name), Field(json_schema_extra=_hint(_WORD))]
FilterName = Annotated[str, AfterValidator(wording.filter_name), Field(json_schema_extra=_hint(_WORD))]
ExchangeName = Annotated[
    str,
    AfterValidator(wording.exchange_name),
    Field(json_schema_extra=_hint(r"^[^\\*]+$", longest=NAME_LENGTH)),
]
HeaderName = Annotated[
    str, AfterValidator(wording.header_name), Field(json_schema_extra=_hint(r"^[A-Za-z][A-Za-z0-9-]{0,63}$"))
]
HeaderValue = Annotated[str, AfterValidator(wording.header_value), Field(json_schema_extra=_hint(_SECRET))]
CipherString = Annotated[
    str, AfterValidator(wording.cipher_string), Field(json_schema_extra=_hint(r"^[A-Za-z0-9:!+@_=.-]+$"))
]
GatewayText = Annotated[
    str,
    AfterValidator(wording.gateway_text),
    Field(json_schema_extra=_hint(longest=wording.TEXT_LENGTH)),
]
PlainText = Annotated[
    str,
    AfterValidator(wording.plain_text),
    Field(json_schema_extra=_hint(longest=wording.TEXT_LENGTH)),
]
Label = Annotated[
    str, AfterValidator(wording.label), Field(json_schema_extra=_hint(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"))
]
UserName = Annotated[
    str,
    AfterValidator(wording.user_name),
    Field(json_schema_extra=_hint(r"^[A-Za-z0-9_][A-Za-z0-9._@-]{0,63}$")),
]
HostKey = Annotated[
    str, AfterValidator(wording.host_key), Field(json_schema_extra=_hint(r"^SHA256:[A-Za-z0-9+/]{43}$"))
]
Guid = Annotated[str, AfterValidator(wording.guid), Field(json_schema_extra=_hint(_GUID))]
ManagedIdentityName = Annotated[
    str, AfterValidator(wording.managed_identity), Field(json_schema_extra=_hint(f"^system$|{_GUID}"))
]
Path = Annotated[str, AfterValidator(wording.file_path)]
Flag = Annotated[bool, Field(strict=True)]
