"""A local AWS for trials and tests: moto, a real PostgreSQL server per instance, a DNS server, a write canary."""
