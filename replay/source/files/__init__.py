"""Find and open files; what their footers say, and how far that is believed."""
