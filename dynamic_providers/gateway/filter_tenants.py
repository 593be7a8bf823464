"""Who else a message filter is about: whose secrets are in it, and which other filters test its group."""

from dynamic_providers.entries import Place
from dynamic_providers.gateway import filter_text, transaction
from dynamic_providers.gateway.outbound_filter import mine_of, read_all, values_of


def secrets_left(place: Place) -> int:
    """How many header values the filter of this place lets pass; 0 where there is no such filter.

    One that was changed by hand beyond recognition counts as one, while it names the group.
    """
    return max(transaction.on_each(lambda: _secrets_here(place)).values())


def _secrets_here(place: Place) -> int:
    filters = read_all(transaction.gateway())
    mine = mine_of(filters, place)
    if mine is None or filter_text.recognise(mine.text):
        return len(values_of(filters, place))
    return int(str(place["group"]) in mine.text)


def other_filters(place: Place) -> list[str]:
    """Active filters that test the same group under another name: each drops what passes the other."""
    found = transaction.on_each(lambda: _others_here(place))
    return list(dict.fromkeys(name for names in found.values() for name in names))


def _others_here(place: Place) -> list[str]:
    active = [one for one in read_all(transaction.gateway()) if one.active]
    shapes = [(one.name, filter_text.recognise(one.text)) for one in active]
    tested = [name for name, shape in shapes if shape and shape.group == place["group"]]
    return [name for name in tested if name.lower() != str(place["name"]).lower()]
