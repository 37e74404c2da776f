"""How large the company is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """People, what runs by itself, and about how many audit events they cause in all."""

    users: int
    identities: int
    events: int


PROFILES = {
    "small": Profile(users=120, identities=60, events=20_000),
    "medium": Profile(users=2_000, identities=800, events=1_000_000),
    "large": Profile(users=8_000, identities=3_000, events=10_000_000),
}
