"""What gets tickets, as a `NodeClient` wants it, where none is looked at."""


class Always:
    """Tickets for everything."""

    def ticket(self, node: str, may: str) -> str:
        """Return one."""
        return "nwt.x"

    def forget(self, node: str, may: str) -> None:
        """None is kept."""

    def acting_for(self, user: str, role: str, address: str | None = None) -> "Always":
        """They are the same for everybody."""
        return self
