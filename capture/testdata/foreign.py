"""Writes one capture in many physical layouts, as DuckDB and pyarrow lay it out:  foreign.py OUTDIR [ROWS]
and rows.jsonl, which says what must be read. Prints a line of versions; exits 77 where a library is missing."""
import json, random, sys, decimal, datetime
try:
    import duckdb, pyarrow as pa, pyarrow.parquet as pq
except ImportError as e:
    print(e); sys.exit(77)
out, N = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3000
D = decimal.Decimal
R = random.Random(5)

def row(i):
    n = R.random
    return {
        "time": None if i % 11 == 0 else 1_760_000_000_000 + i * 250,       # ms
        "tenant": None if i % 7 == 0 else f"tenant-{i % 3}",
        "session": None if i % 13 == 0 else f"s-{i // 10:05d}",
        "seq": None if i % 17 == 0 else i % 10,
        "agent": f"agent-{i % 5}",
        "chain": None if i % 3 == 0 else [f"up-{k}" for k in range(i % 4)],
        "tool": f"tool-{i % 29}",
        "action": None if i % 2 else "create",
        "args": None if i % 19 == 0 else json.dumps({"i": i, "note": "é" * (i % 7), "x": R.getrandbits(60)}, ensure_ascii=False),
        "effect": [None, "read", "write"][i % 3],
        "region": "eu-1",
        "estimated_cost": None if i % 5 == 0 else i % 4000 / 4,
        "recorded_decision": "allow",
        "recorded_policy_version": None,
        "outcome": None if i % 4 else f"error {i}",
        "coverage": [None, "full", "redacted"][i % 3],
        "labels": None if i % 6 == 0 else {f"k{k}": f"v{(i + k) % 50}" for k in range(i % 5)},
    }
rows = [row(i) for i in range(N)]
with open(f"{out}/rows.jsonl", "w") as f:
    for r in rows: f.write(json.dumps(r, ensure_ascii=False) + "\n")

S = pa.string()
BASE = {"time": pa.timestamp("us", "UTC"), "tenant": S, "session": S, "seq": pa.int64(), "agent": S, "chain": pa.list_(S), "tool": S,
        "action": S, "args": S, "effect": S, "region": S, "estimated_cost": pa.decimal128(18, 6), "recorded_decision": S,
        "recorded_policy_version": S, "outcome": S, "coverage": S, "labels": pa.map_(S, S)}

def value(name, typ, v):
    if v is None: return None
    if name == "time": return v * {"ms": 1, "us": 1000, "ns": 1_000_000}[typ.unit]
    if name == "estimated_cost" and pa.types.is_decimal(typ): return D(str(v)).quantize(D(1).scaleb(-typ.scale))
    if name == "labels": return list(v.items())
    return v

def table(types={}, required=()):
    t = {**BASE, **types}
    cols = []
    for k, ty in t.items():
        vs = [value(k, ty, r[k]) for r in rows]
        if k == "time": cols.append(pa.array(vs, pa.int64()).cast(ty))
        elif pa.types.is_dictionary(ty): cols.append(pa.array(vs, S).dictionary_encode())
        else: cols.append(pa.array(vs, ty))
    return pa.table(cols, schema=pa.schema([pa.field(k, c.type, nullable=k not in required) for (k, _), c in zip(t.items(), cols)]))

def arrow(name, types={}, required=(), **kw):
    pq.write_table(table(types, required), f"{out}/arrow-{name}.parquet", **kw)

plain = dict(use_dictionary=False)
for c in ["none", "snappy", "gzip", "zstd", "brotli", "lz4"]:
    for v in ["1.0", "2.0"]:
        arrow(f"{c}-v{v[0]}", compression=c, data_page_version=v)
arrow("plain", compression="none", **plain)
arrow("plain-v2", compression="zstd", data_page_version="2.0", **plain)
arrow("pages", compression="none", data_page_size=900, row_group_size=700)
arrow("pages-v2", compression="snappy", data_page_size=900, data_page_version="2.0", write_page_index=True)
arrow("fallback", compression="zstd", dictionary_pagesize_limit=600, data_page_size=2000)
arrow("checksum", compression="zstd", write_page_checksum=True)
arrow("required", required=("agent", "tool", "region", "recorded_decision"), compression="none", data_page_version="2.0")
for v in ["1.0", "2.0"]:
    arrow(f"delta-v{v[0]}", compression="none" if v == "1.0" else "zstd", data_page_version=v, data_page_size=5000, column_encoding={
        "time": "DELTA_BINARY_PACKED", "seq": "DELTA_BINARY_PACKED", "args": "DELTA_LENGTH_BYTE_ARRAY", "session": "DELTA_BYTE_ARRAY",
        "outcome": "DELTA_LENGTH_BYTE_ARRAY", "tool": "DELTA_BYTE_ARRAY", "chain.list.element": "DELTA_LENGTH_BYTE_ARRAY"}, **plain)
arrow("delta-args", column_encoding={"args": "DELTA_BYTE_ARRAY", "seq": "BYTE_STREAM_SPLIT", "time": "BYTE_STREAM_SPLIT"}, **plain)
arrow("ms", {"time": pa.timestamp("ms", "UTC"), "seq": pa.int32()})
arrow("ns", {"time": pa.timestamp("ns", "UTC"), "seq": pa.uint32()})
arrow("naive", {"time": pa.timestamp("us"), "seq": pa.int16()})
arrow("large", {k: pa.large_string() for k, t in BASE.items() if t == S} | {"chain": pa.large_list(pa.large_string()), "seq": pa.uint64()})
arrow("dictionary", {k: pa.dictionary(pa.int32(), S) for k, t in BASE.items() if t == S and k != "recorded_policy_version"})
arrow("binary", {"args": pa.binary(), "session": pa.binary()})
arrow("cost-9-2", {"estimated_cost": pa.decimal128(9, 2)})
arrow("cost-38-8", {"estimated_cost": pa.decimal128(38, 8)})
arrow("cost-int", {"estimated_cost": pa.decimal128(18, 6)}, store_decimal_as_integer=True)
arrow("cost-int32", {"estimated_cost": pa.decimal128(9, 4)}, store_decimal_as_integer=True)
arrow("cost-double", {"estimated_cost": pa.float64()})
arrow("cost-float", {"estimated_cost": pa.float32()}, column_encoding={"estimated_cost": "BYTE_STREAM_SPLIT"}, **plain)

con = duckdb.connect()
con.execute("set timezone='UTC'")
con.register("t", table())
def duck(name, select="*", options=""):
    con.execute(f"copy (select {select} from t) to '{out}/duck-{name}.parquet' (format parquet{options})")
for c in ["uncompressed", "snappy", "gzip", "zstd", "lz4_raw", "brotli"]:
    duck(c, options=f", compression {c}")
    duck(c + "-v2", options=f", compression {c}, parquet_version v2")
duck("groups", options=", row_group_size 2048")
duck("nodict", options=", dictionary_size_limit 1, parquet_version v2")
duck("json", "* replace (args::json as args)")
duck("ms", "* replace (time::timestamp_ms as time, seq::smallint as seq)")
duck("ns", "* replace (time::timestamp_ns as time, seq::uinteger as seq)")
duck("s", "* replace (time::timestamp as time, seq::ubigint as seq, estimated_cost::double as estimated_cost)")
duck("enum", "* replace (effect::enum('read','write') as effect, estimated_cost::decimal(38,6) as estimated_cost)")
print("duckdb", duckdb.__version__, "pyarrow", pa.__version__)
