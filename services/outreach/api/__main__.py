"""`python -m services.outreach.api`: print the API's OpenAPI document, as it is committed."""

from services.outreach.api import openapi
from services.outreach.api.app import create_app

if __name__ == "__main__":
    print(openapi.rendered(create_app()), end="")
