"""What every provider does with inputs: secrets are known to the redaction, mistakes go to their property."""

from collections.abc import Collection

from pulumi.dynamic import CheckFailure
from pydantic import ValidationError

from dynamic_providers.entries import Props, has_unknown, plain, texts
from dynamic_providers.errors import clean, register_secret
from dynamic_providers.model import Model


def register_secrets(names: Collection[str], *given: Props) -> None:
    """Whatever is said or raised from now on does not show what these properties hold."""
    for props in given:
        for name in names:
            for text in texts(props.get(name)):
                register_secret(text)


def in_normal_form(
    model: type[Model], given: Props, secret: Collection[str], instead: str
) -> tuple[Props, list[CheckFailure]]:
    """Inputs as the model has them, and what is wrong with them; as given where a part is not known yet."""
    if has_unknown(given):
        return given, []
    try:
        return plain(model.model_validate(given).model_dump(mode="json", by_alias=True)), []
    except ValidationError as error:
        return given, failures(error, secret, instead)


def failures(error: ValidationError, secret: Collection[str], instead: str) -> list[CheckFailure]:
    """A line each, under the property that it is about: `instead` of a secret one, whose value would show."""
    found = []
    for one in error.errors(include_input=False, include_url=False, include_context=False):
        path = ".".join(str(part) for part in one["loc"])
        shown = instead if not one["loc"] or one["loc"][0] in secret else str(one["loc"][0])
        found.append(CheckFailure(shown, clean(f"{path}: {one['msg']}")))
    return found
