"""The simulated shop: invented customers, orders and people who react.  Pure; no clock, no I/O."""
