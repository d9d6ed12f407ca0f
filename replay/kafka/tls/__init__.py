"""TLS: whom the client trusts, what a broker shows, and what is wrong between the two."""
