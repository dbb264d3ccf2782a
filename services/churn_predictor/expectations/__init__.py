"""What a customer may expect, as watches derived from the facts; never stored beside them."""
