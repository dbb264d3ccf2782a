"""The reference of settings: one page, made from the models that the services read them by."""
