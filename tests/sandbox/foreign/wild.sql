-- Names and types that nobody expects.
create schema "Sch.ema ""x"" 'y'";
create schema "ünï 統計";
create schema a;
create schema "a.b";
create table a."b.c" (id int primary key, v text);
create table "a.b".c (id int primary key, v text);
insert into a."b.c" select i, 'dot' from generate_series(1, 50) i;
insert into "a.b".c select i, 'other' from generate_series(1, 50) i;
create table "Sch.ema ""x"" 'y'"."Ta.ble ""%s"" {0} \n" ("Id "" col" int primary key, "sel ect" text, "%(v)s" text);
insert into "Sch.ema ""x"" 'y'"."Ta.ble ""%s"" {0} \n" select i, 'x' || i, '%' from generate_series(1, 50) i;
create table "ünï 統計"."名前 mit Umlaut ä ß und einem sehr langen Namen" ("ключ" text primary key, "वैल्यू" text);
insert into "ünï 統計"."名前 mit Umlaut ä ß und einem sehr langen Namen"
  select 'ключ ' || i, repeat('é', i) from generate_series(1, 50) i;
create table public."order" ("user" int, "select" text, "Primary" bool, primary key ("user", "select"));
insert into public."order" select i, 's' || i from generate_series(1, 50) i;

create table public.no_columns ();
create table public.big (id int primary key, body text, raw bytea, plain text);
alter table public.big alter body set storage external, alter raw set storage external;
insert into public.big select i, (select string_agg(md5(i * 1000 + j || 'x'), '') from generate_series(1, 3000) j),
  decode(repeat(md5(i::text), 2000), 'hex'), repeat('y', 100000) from generate_series(1, 20) i;
create table public.dropped (a int, id int primary key, b text, c int default 7);
insert into public.dropped select i, i, 'b', i from generate_series(1, 50) i;
alter table public.dropped drop column a, drop column c, add column d int not null default 42, add column e text default 'e';

create type public.mood as enum ('sad', 'ok', 'happy''s');
create domain public.positive as numeric check (value > 0);
create type public.inner_thing as (n public.positive, m public.mood);
create type public.outer_thing as (a public.inner_thing[], b jsonb);
create type public.floats as range (subtype = float8, subtype_diff = float8mi);
create table public.types (
  id public.mood, no int, t1 point, t2 polygon, t3 box, t4 tsquery, t5 bit(3), t6 varbit, t7 inet, t8 cidr, t9 macaddr8,
  t10 money, t11 interval, t12 timetz, t13 numeric, t14 float8, t15 public.outer_thing, t16 public.floats, t17 int4multirange,
  t18 jsonpath, t19 oid, t20 name, t21 "char", t22 pg_lsn, t23 circle, t24 text[][], t25 json, t26 timestamptz, t27 date,
  t28 regclass, t29 public.positive, t30 lseg, primary key (id, no));
insert into public.types select (array['sad', 'ok', 'happy''s']::public.mood[])[1 + i % 3], i, point(i, -i), '((0,0),(1,1),(1,0))',
  '(1,1),(0,0)', 'fat & (rat | cat)', B'101', B'1', '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03:04:05', '12.34',
  '1 year 2 days -3 seconds', '04:05:06+02', case i % 3 when 0 then 'NaN' when 1 then '1.10'::numeric else 'Infinity' end,
  case i % 3 when 0 then '-0'::float8 when 1 then 'NaN' else '1e-300' end,
  row(array[row(i, 'ok')::public.inner_thing], '{"a": [1, null]}')::public.outer_thing, '[1,2)', '{[1,3),[5,7)}', '$.a[*] ? (@ > 1)',
  42, 'name', 'c', '0/16B3748', '<(1,1),2>', '{{a,b},{c,NULL}}', '{"b":1,  "a":1}',
  case i % 3 when 0 then 'infinity' when 1 then '-infinity' else timestamptz '4713-01-01 BC' end, 'infinity', 'pg_class', i,
  '[(0,0),(1,1)]' from generate_series(1, 60) i;
do $$ begin create collation public.loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
exception when feature_not_supported then create collation public.loose from "C"; end $$;
create table public.loose_keys (k text collate public.loose primary key, v text);
insert into public.loose_keys select 'Key' || i, 'v' from generate_series(1, 60) i;
create table public.text_keys (k text collate "C", d numeric, primary key (d, k));
insert into public.text_keys select chr(200 + i) || ' ' || i, i * 1.10 from generate_series(1, 60) i;
create table public.descending (a int, b text, v int);
create unique index descending_key on public.descending (a desc, b);
alter table public.descending alter a set not null, alter b set not null, replica identity using index descending_key;
insert into public.descending select i, 'b', i from generate_series(1, 60) i;
create table public.keyless (v text, n int);
insert into public.keyless select 'same', 1 from generate_series(1, 60);
create table public.booked (room int, during tsrange, primary key (room), exclude using gist (during with &&));
insert into public.booked select i, tsrange(timestamp '2025-01-01' + i * interval '1 day', timestamp '2025-01-01' + (i + 1) * interval '1 day')
  from generate_series(1, 30) i;
create table public.ruled (id int primary key, v text);
create table public.ruled_log (id bigserial primary key, v text);
create rule copy_it as on insert to public.ruled do also insert into public.ruled_log (v) values (new.v);
create table public.secret (id int primary key, owner name default current_user, v text);
alter table public.secret enable row level security;
create policy own on public.secret using (owner = current_user);
insert into public.secret select i, 'nobody', 'v' from generate_series(1, 20) i;
create view public.window_of_view as select id, v from public.ruled;
create function public.through() returns trigger language plpgsql as $$
begin insert into ruled values (new.id, new.v || ' by view'); return new; end $$;
create trigger through instead of insert on public.window_of_view for each row execute function public.through();
create procedure public.busy(n int) language plpgsql as $$ begin insert into keyless values ('procedure', n); end $$;
create sequence public."Seq.uence" as smallint minvalue -5 maxvalue 30000 start -5 increment 3 cache 4;
create sequence public.downwards increment -1 minvalue -100000 maxvalue -1 start -1;
create table public.parent_key (id int primary key);
create table public.child_key (id int primary key references public.parent_key deferrable initially deferred);
create table public.numbers (kind text, v bigint, primary key (kind, v));
do $$ begin create table public.vectors (id int primary key, v vector(3));
insert into public.vectors select i, format('[%s,0,1]', i)::vector from generate_series(1, 30) i;
exception when undefined_object then null; end $$;
