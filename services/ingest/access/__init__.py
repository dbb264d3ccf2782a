"""Who may publish what: API keys, bearer tokens, signed webhooks; scopes; how much at once."""
