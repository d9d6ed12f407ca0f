"""The whole journey: what is looked at first, the two deliveries, the pace, what is saved."""
