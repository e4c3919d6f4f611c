"""PostgreSQL 13 to 18 (RDS for PostgreSQL), through psycopg. The rest of the house sees `server.PostgresServer`."""
