"""Says how DuckDB sees a file:  look.py FILE  prints one JSON object. Exits 77 where DuckDB is missing."""
import json, sys
try: import duckdb
except ImportError as e: print(e); sys.exit(77)
con = duckdb.connect()
con.execute("set timezone='UTC'")
f = f"read_parquet('{sys.argv[1]}')"
types = {r[0]: r[1] for r in con.execute(f"describe select * from {f}").fetchall()}
def one(q): return con.execute(q).fetchone()
res = {"types": types, "rows": one(f"select count(*) from {f}")[0],
       "meta": {k.decode(): v.decode() for k, v in con.execute(f"select key, value from parquet_kv_metadata('{sys.argv[1]}')").fetchall()}}
if "args" in types:
    res["sums"] = [str(x) for x in one(f"select count(time), epoch_us(max(time)), count(args), sum(length(args)), count(distinct session), sum(seq), "
        f"sum(estimated_cost), count(chain), sum(len(chain)), count(labels), count(labels['class']), count(outcome), "
        f"count(*) filter (args like '%\"amount\"%') from {f}")]
else:
    res["sums"] = [str(x) for x in one(f"select count(seq), sum(seq), sum(len(reasons)), sum(len(rules)), count(session), min(decision) from {f}")]
print(json.dumps(res))
