"""The rights of a replay on a topic: which it needs, and which the broker says that this client has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from replay.check.finding import Finding, not_told, of_error, warning
from replay.kafka.access import RIGHTS, Account, Resource, Right, Use, kafka_acls, lacking, missing


@dataclass(frozen=True, slots=True)
class Wants:
    """Who wants to use which topic, and for what."""

    account: Account
    use: Use
    resource: Resource
    name: str

    @property
    def what(self) -> str:
        return f"rights on {self.resource} {self.name}"

    @property
    def rights(self) -> tuple[Right, ...]:
        """All that are of use once the topic is there."""
        return tuple(
            each for each in RIGHTS if self.use in each.uses and each.resource is self.resource and not each.creating
        )


def judged(wants: Wants, allowed: frozenset[str] | None) -> Iterator[Finding]:
    """A finding for each right that is missing, and one for those that are there. `allowed`: the operations, as the
    broker tells them; None where it does not."""
    if allowed is None:
        yield not_told(wants.what, "the broker does not tell them")
        return
    absent = missing(wants.rights, allowed)
    has = [each.operation for each in wants.rights if each not in absent]
    if has:
        yield Finding(wants.what, ", ".join(dict.fromkeys(has)))
    for each in absent:
        if each.without:
            todo = kafka_acls(wants.account, wants.resource, wants.name, [each.operation])
            yield warning(wants.what, f"no right to {each.operation} (to {each.to}): {each.without}", todo)
        else:
            yield of_error(wants.what, lacking(wants.account, [each], wants.name))


def none_at_all(wants: Wants) -> Iterator[Finding]:
    """Who may not even describe a topic has none of the rights that would include it."""
    for each in wants.rights:
        if not each.without:
            yield of_error(wants.what, lacking(wants.account, [each], wants.name))
