"""What the people who care see and do, over HTTP: outreach's API for their desk."""
