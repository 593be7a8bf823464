"""What the admin API answers when it does not do as asked.

The shapes are those that clients report: almost everything is a 400, the failure's type stands in a message.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Any

from lab.tenant.switches import Rendering

NOT_FOUND = "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException"
EXISTS = "Microsoft.Exchange.Data.Directory.ADObjectAlreadyExistsException"
BAD_VALUE = "Microsoft.Exchange.Management.AdminApi.CommandInvocation.ParameterTransformationException"
UNKNOWN_PARAMETER = "Microsoft.Exchange.Management.AdminApi.CommandInvocation.AmbiguousParameterSetException"
ARGUMENT = "System.ArgumentException"
TRANSIENT = "Microsoft.Exchange.Data.Directory.ADTransientException"
DATA_VALIDATION = "Microsoft.Exchange.Data.DataValidationException"
IN_USE = "System.InvalidOperationException"
CODES = {400: "BadRequest", 404: "NotFound", 429: "TooManyRequests"}
SERVER = "DB9PR01A002.EURPR01A002.PROD.OUTLOOK.COM"


@dataclass
class CmdletFailure(Exception):
    """A cmdlet that ends in an error; nothing has been changed."""

    type_name: str
    text: str
    status: int = 400

    def __str__(self) -> str:
        return f"{self.type_name.rsplit('.', 1)[-1]}: {self.text}"


@dataclass(frozen=True)
class Reply:
    """An HTTP answer before it is written."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    reset: bool = False


def not_found(name: str, status: int = 404) -> CmdletFailure:
    """No object of that name."""
    return CmdletFailure(
        NOT_FOUND,
        f"The operation couldn't be performed because object '{name}' couldn't be found on '{SERVER}'.",
        status,
    )


def already_exists(what: str, name: str) -> CmdletFailure:
    """A New- or a rename onto a name that is taken; the exact text is not known."""
    return CmdletFailure(EXISTS, f"The {what} '{name}' already exists. Specify a different name.")


def bad_value(parameter: str, value: object, type_name: str, why: str) -> CmdletFailure:
    """A value that the parameter's type does not take."""
    return CmdletFailure(
        BAD_VALUE,
        f"Cannot process argument transformation on parameter '{parameter}'. "
        f'Cannot convert value "{value}" to type "{type_name}". Error: "{why}"',
    )


def unknown_parameter(name: str) -> CmdletFailure:
    """A parameter that the cmdlet does not have."""
    return CmdletFailure(
        UNKNOWN_PARAMETER,
        "Parameter set cannot be resolved using the specified named parameters. One or more parameters "
        f"issued cannot be used together or an insufficient number of parameters were provided. ({name})",
    )


def makes_no_sense(text: str) -> CmdletFailure:
    """Values that do not go together, or not with what is there."""
    return CmdletFailure(ARGUMENT, text)


RETRY_AFTER = {"retry-after": "5"}


def reply(failure: CmdletFailure, rendering: Rendering) -> Reply:
    """The failure as the API sends it."""
    made = json_reply(failure.status, body(failure, rendering))
    return replace(made, headers={**made.headers, **RETRY_AFTER}) if failure.status == 429 else made


def body(failure: CmdletFailure, rendering: Rendering) -> dict[str, Any]:
    """The error document."""
    outer = "Error executing cmdlet" if failure.type_name != UNKNOWN_PARAMETER else "Invalid Operation"
    message = _message(failure, rendering)
    inner: dict[str, Any] = {
        "message": outer,
        "type": "Microsoft.Exchange.Admin.OData.Core.ODataServiceException",
        "stacktrace": "   at Microsoft.Exchange.AdminApi.CommandInvocation.CommandInvocation.InvokeCommand()",
        "internalexception": {
            "message": failure.text if rendering.error_place != "message" else _thrown(failure),
            "type": failure.type_name,
            "stacktrace": "",
        },
    }
    error: dict[str, Any] = {
        "code": CODES.get(failure.status, "InternalServerError"),
        "message": message if rendering.error_place == "message" else outer,
        "details": [{"code": "Context", "target": "", "message": message}]
        if rendering.error_place == "details"
        else [],
        "innererror": inner,
        "@adminapi.warnings": [],
    }
    return {"error": error}


def json_reply(status: int, document: object, **headers: str) -> Reply:
    """A JSON answer."""
    text = json.dumps(document, ensure_ascii=False)
    return Reply(
        status,
        text.encode(),
        {"content-type": "application/json;odata.metadata=minimal;charset=utf-8", **headers},
    )


def _message(failure: CmdletFailure, rendering: Rendering) -> str:
    if rendering.error_message == "plain":
        return failure.text
    if rendering.error_message == "json":
        parts = {"Message": failure.text, "TypeName": failure.type_name, "StackTrace": "", "InnerError": None}
        return json.dumps(parts)
    code = (
        ""
        if rendering.error_message == "no hash"
        else "Ex" + hashlib.sha256(failure.type_name.encode()).hexdigest()[:6].upper()
    )
    return f"{code}|{failure.type_name}|{failure.text}"


def _thrown(failure: CmdletFailure) -> str:
    return f"Exception of type '{failure.type_name}' was thrown."
