"""Who asks: a name and a role. Each role may do all that the ones before it may."""

from typing import Final, Literal, NamedTuple

Role = Literal["viewer", "operator", "admin"]
"""A viewer looks, an operator orders, an admin reads the audit of everybody's sign-ins too."""

Way = Literal["password", "proxy", "oidc"]

ROLES: Final[tuple[Role, ...]] = ("viewer", "operator", "admin")


class Identity(NamedTuple):
    """A person who has signed in. `name` is the actor of the commands, as `operator:<name>` in fuse events."""

    name: str
    role: Role
    way: Way
    session_id: str

    def may(self, role: Role) -> bool:
        """Tell whether the person has this role, or a higher one."""
        return ROLES.index(self.role) >= ROLES.index(role)
