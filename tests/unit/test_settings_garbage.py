"""Whatever a stack file may hold: it is accepted, or refused cleanly, and its secret is never shown."""

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from components.settings import Settings, SettingsError
from tests.unit.settings_mistakes import Place
from tests.unit.settings_samples import ENVIRONMENT, Values, sample, spoiled

HIDDEN = "Zq7" + "LeakMarker" * 2
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=30),
    st.sampled_from(
        [HIDDEN, f"{HIDDEN}.example", f"x {HIDDEN}'", "none", "all", "192.0.2.0/24", "a.example", ""]
    ),
)
KEYS = st.one_of(
    st.text(max_size=12), st.sampled_from([HIDDEN, "host", "secret", "state", "mx", "members", "domains"])
)
GARBAGE = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)


def _places(values: object, place: Place = ()) -> list[Place]:
    steps = (
        values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    )
    below = [deeper for step, inner in steps for deeper in _places(inner, (*place, step))]
    return ([place] if place else []) + below


def _outcome(values: Values) -> tuple[str, SettingsError | None]:
    try:
        return repr(Settings.from_config(values, {**ENVIRONMENT, "OUTBOUND_SECRET": HIDDEN})), None
    except SettingsError as error:
        return str(error), error


def _judge(values: Values) -> None:
    text, error = _outcome(values)

    assert HIDDEN.lower() not in text.lower()
    if error is not None:
        assert error.lines
        assert error.__cause__ is None
        assert len(text.splitlines()) == len(error.lines) + 1


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.one_of(KEYS, st.sampled_from(sorted(sample()))), GARBAGE, max_size=6))
@example({})
def test_garbage_is_only_ever_refused_cleanly(values: Values) -> None:
    _judge(values)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(_places(sample())), value=GARBAGE)
@example(place=("outbound", "state"), value=HIDDEN)
@example(place=("domains",), value={HIDDEN: HIDDEN})
def test_a_right_file_with_one_thing_spoiled_is_only_ever_refused_cleanly(
    place: Place, value: object
) -> None:
    _judge(spoiled({place: value}))
