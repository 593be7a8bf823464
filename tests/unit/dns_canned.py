"""A resolver that answers from a table, for what is decided by records and not by the network."""

from dynamic_providers.dns.resolver import Answer, Kind, Resolver
from dynamic_providers.dns.wire import ServerFailed

Records = dict[str, dict[str, list[str]]]  # name → kind → records; kind FAIL: every look-up there fails


class CannedResolver(Resolver):
    """`asked` keeps what was looked up."""

    def __init__(self, records: Records) -> None:
        super().__init__()
        self.records = records
        self.asked: list[tuple[str, str]] = []

    def ask(self, name: str, kind: Kind) -> Answer:
        self.asked.append((name, kind))
        found = self.records.get(name.lower().rstrip("."))
        if found is None:
            return Answer(name, kind, (), 60, "canned", exists=False)
        if "FAIL" in found:
            raise ServerFailed(f"it failed on {kind} of {name} (SERVFAIL)", where="DNS server canned")
        if kind not in found and "CNAME" in found:
            target = self.ask(found["CNAME"][0], kind)
            return Answer(name, kind, target.records, target.ttl, "canned", target.exists, found["CNAME"][0])
        return Answer(name, kind, tuple(found.get(kind, ())), 60, "canned")
