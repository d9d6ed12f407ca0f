"""Rows read, judged, and brought into one order."""
