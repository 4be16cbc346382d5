"""Fails if co_await stands anywhere but as a statement, one local's initialiser, or behind co_return.

g++ 12.2 miscompiles the other places: a lazy coroutine with `if (co_await ...)` may never run, and a
temporary in the awaited expression may be destroyed twice.
"""
import pathlib, re, sys

SHAPES = re.compile(
    r"^\s*(co_return\s+)?co_await\s"                       # statement, co_return co_await
    r"|^\s*(const\s+)?(auto|[\w:<>,\s]+?)[&\s]+\w+\s*=\s*co_await\s"  # one local
    r"|^\s*\w+\s*=\s*co_await\s"                           # assignment
    r"|^\s*BENCHFS_CO_(TRY|CHECK)(_NOW)?\("
)
failures = []
for folder in ("src", "launcher", "tests", "benchmarks"):
    for path in sorted((pathlib.Path(sys.argv[1]) / folder).rglob("*")):
        if path.suffix not in {".h", ".cpp"}:
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            code = line.split("//")[0]
            if "co_await" in code and "_IMPL_(" not in code and not SHAPES.match(code):
                failures.append(f"{path}:{number}: hoist this co_await into a named local: {code.strip()}")

print("\n".join(failures) or "every co_await stands alone")
sys.exit(bool(failures))
