"""The inputs: found and opened, their columns made events, their rows put in one order."""
