"""What httpx does with a URL somebody else wrote."""

import httpx
import pytest


@pytest.mark.parametrize("url", ["https://xn--a/", "https://example.org/\udcff"])
def test_a_url_that_cannot_be_encoded_raises_another_error_than_invalid_url(url: str) -> None:
    with pytest.raises(UnicodeError) as error:
        httpx.Request("POST", url)
    assert not isinstance(error.value, httpx.InvalidURL)
