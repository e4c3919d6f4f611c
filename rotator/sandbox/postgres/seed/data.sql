-- Rows, all computed from their numbers, so that the same size gives the same contents. :mb is the size in MB.
-- What is long is random-looking and stored uncompressed.
INSERT INTO shop.customer (email, name, address, tags, since)
SELECT 'c' || n || '@example.org', initcap(substr(md5('n' || n), 1, 9)) || ' Ünïcödé',
       jsonb_build_object('city', 'City ' || n % 977, 'zip', lpad((n * 7919 % 100000)::text, 5, '0'),
                          'lines', jsonb_build_array(md5('a' || n), n % 300), 'vip', n % 50 = 0),
       ARRAY['t' || n % 7, 'seg,"ment" ' || n % 13], timestamptz '2020-01-01Z' + n * interval '97 seconds'
FROM generate_series(1, 100 * :mb) n;

INSERT INTO shop.product (sku, price, size, photo)
SELECT 'SKU-' || n, (n * 37 % 100000) / 100.0, ROW(n % 90, n % 70 + 0.5, n % 11)::shop.dimensions,
       decode(repeat(md5('p' || n), 150), 'hex')
FROM generate_series(1, 20 * :mb) n;

INSERT INTO shop."Order" (customer, state, placed, note)
SELECT n * 31 % (100 * :mb) + 1, (enum_range(NULL::shop.order_state))[n % 4 + 1],
       timestamptz '2024-01-01Z' + n * interval '41 seconds', CASE n % 5 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE md5('o' || n) END
FROM generate_series(1, 400 * :mb) n;

INSERT INTO shop.order_item
SELECT o, l, (o * 13 + l) % (20 * :mb) + 1, l % 5 + 1, ((o + l) * 17 % 10000) / 100.0
FROM generate_series(1, 400 * :mb) o, generate_series(1, 3) l;

INSERT INTO billing.invoice ("order", total, due, period)
SELECT o, (o * 29 % 100000) / 100.0, date '2024-02-01' + (o % 700)::int,
       daterange(date '2024-01-01' + (o % 700)::int, date '2024-02-01' + (o % 700)::int)
FROM generate_series(1, 400 * :mb, 3) o;

INSERT INTO billing.event
SELECT n, timestamptz '2025-01-01Z' + n * interval '1 year' / (1500 * :mb), 'kind ' || n % 17,
       CASE n % 11 WHEN 0 THEN 'NaN'::float8 WHEN 1 THEN NULL ELSE n / 7.0 END,
       CASE WHEN n % 9 > 0 THEN jsonb_build_object('order', n % 997, 'trace', md5('e' || n), 'ok', n % 3 = 0) END
FROM generate_series(1, 1500 * :mb) n;

INSERT INTO archive.document
SELECT md5('d' || n)::uuid, 'Document ' || n, repeat(md5('b' || n), 200), decode(md5('h' || n), 'hex'),
       n % 1000 * interval '1 day'
FROM generate_series(1, 45 * :mb) n;

INSERT INTO archive."Odd Name" VALUES
  (1, 'tab	newline
quote '' backslash \ null follows', '{"b": 1,  "a": [1.0, 1.00]}', '(1.5,-2)', '10.1.0.0/16', to_tsvector('simple', 'green and blue'),
   '{{1,2},{3,NULL}}', B'10101', 1.10, '12:00:00+02'),
  (2, NULL, NULL, NULL, '::1', NULL, '{}', NULL, 'NaN', NULL),
  (3, '', '""', '(0,0)', '192.0.2.1', '', NULL, B'', 1e-20, '23:59:59.999999-11');

SELECT setval('billing.invoice_number', 1000000 + :mb, false);
REFRESH MATERIALIZED VIEW billing.revenue;
