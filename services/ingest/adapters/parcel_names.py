"""What a parcel is called, so that whoever tells of it means the same one."""

from services.ingest.adapters.payload import id_of


def shipment_id_of(tracking_number: object) -> str | None:
    """Return the parcel with this number: no spaces, capital letters; None where there is no number."""
    found = id_of(tracking_number)
    return "".join(found.split()).upper() if found else None
