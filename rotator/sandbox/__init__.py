"""A local AWS for trying and testing: moto, a real PostgreSQL server per instance, a DNS server, a write canary."""
