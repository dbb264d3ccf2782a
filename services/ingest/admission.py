"""How much may be under way at once.  The Kafka client has no such limit of its own."""


class Overloaded(Exception):
    """There is no room now; nothing was taken, and the publisher should come back."""


class Admission:
    """Counts records and bytes between coming in and their outcome.  For one thread only.

    Of the bytes half is for those whose sender is known: what is signed is believed only once all of it is
    here, so anybody could fill the other half, and must not keep out who has shown a key.
    """

    def __init__(self, max_records: int, max_bytes: int) -> None:
        self._max_records = max_records
        self._max_bytes = max_bytes
        self.records = 0
        self.bytes = 0
        self.unproven_bytes = 0
        """Those of them whose sender is not known yet."""

    def enter(self, records: int, size: int) -> None:
        """Take this much room, all or nothing.

        Raises:
            Overloaded: there is not that much left.
        """
        too_many = self.records + records > self._max_records
        if too_many or self.bytes + size > self._max_bytes:
            raise Overloaded
        self.records += records
        self.bytes += size

    def leave(self, records: int, size: int) -> None:
        """Give this much room back."""
        self.records -= records
        self.bytes -= size

    def enter_unproven(self, size: int) -> None:
        """Take this much room for bytes of somebody who is not known yet.

        Raises:
            Overloaded: there is not that much left for such.
        """
        if self.unproven_bytes + size > self._max_bytes // 2:
            raise Overloaded
        self.enter(0, size)
        self.unproven_bytes += size

    def leave_unproven(self, size: int) -> None:
        """Give this much of that room back."""
        self.leave(0, size)
        self.unproven_bytes -= size
