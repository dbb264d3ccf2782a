"""The publisher in memory keeps what the one on Kafka keeps."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.ingest.admission import Admission
from tests.component.ingest.fakes import FakePublisher
from tests.component.ingest.publisher_suite import Opened, PublisherSuite


class TestFakePublisher(PublisherSuite):
    @asynccontextmanager
    async def opened(self, *, max_records: int = 1000) -> AsyncIterator[Opened]:
        admission = Admission(max_records, 10**6)
        fake = FakePublisher(admission)
        yield Opened(fake, admission, fake.written, fake.silence, fake.speak)
