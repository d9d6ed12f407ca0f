"""One order over the rows of all files, in bounded memory."""
