# Few recipes; CI runs the same.

# What must hold before a commit.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# Every test: units, laws, fixtures, the command line, taste.
test *ARGS:
    cargo test --workspace {{ARGS}}

# The fixtures only, each under its id: `just fixtures relay`.
fixtures *ARGS:
    cargo test --test fixtures -- {{ARGS}}

# Every story, through the example gateways.
examples *ARGS:
    cargo run -- run --gateway "python3 shims/python/examples/gateway.py" {{ARGS}}
    cargo run -- run --gateway "node shims/typescript/examples/gateway.js" {{ARGS}}

# Measurements, with statistics.
bench *ARGS:
    cargo bench {{ARGS}}

# The documentation, without a broken link.
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --workspace

# All of CI.
ci:
    ./.ci/run
