"""Why a customer was, or was not, contacted: one customer's records, made again and told in words."""
