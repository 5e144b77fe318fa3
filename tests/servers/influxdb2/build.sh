#!/bin/sh
# Build influxd: build.sh FOLDER leaves FOLDER/influxd. Needs go (1.23 or newer), cargo, cc and pkg-config.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
target=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

# Read influxd's own requirements from its module; go.sum here says what that module must be.
module=github.com/influxdata/influxdb/v2
cp "$here/go.mod" "$here/go.sum" "$work"
cd "$work"
go mod download "$module"
version=$(go list -m -f '{{.Version}}' "$module")
source=$(go list -m -f '{{.Dir}}' "$module")

# It cannot be installed by name, because Go refuses a go.mod with replace directives there. So it is built from a
# module of one's own that carries the same requirements and replacements.
cat "$source/go.sum" >>"$work/go.sum"
cp "$source/go.mod" "$work/go.mod"
chmod u+w "$work/go.mod"
go mod edit -module=sync-gateway.tests/influxdb2 -require="$module@$version"

# The Flux library is Rust: this wrapper of pkg-config builds it when Go asks for it.
GOBIN="$work/bin" go install github.com/influxdata/pkg-config@v0.2.7
export PKG_CONFIG="$work/bin/pkg-config"

# Flux asks for a Rust of its own; any newer one builds it, once the warnings that newer ones raise are no errors.
if command -v rustup >/dev/null; then
    RUSTUP_TOOLCHAIN=${RUSTUP_TOOLCHAIN:-$(rustup default | cut -d' ' -f1)}
    export RUSTUP_TOOLCHAIN
fi
cat >"$work/rustc" <<'WRAPPER'
#!/bin/sh
exec "$@" --cap-lints warn
WRAPPER
chmod +x "$work/rustc"
export RUSTC_WRAPPER="$work/rustc"

# The number of packages, and a line for each one that is compiled, are what shows the progress.
echo "packages: $(go list -mod=mod -deps -tags sqlite_foreign_keys,sqlite_json "$module/cmd/influxd" | wc -l)"

# Moved into place when whole, so that an aborted build leaves nothing that looks like influxd.
go build -v -mod=mod -tags sqlite_foreign_keys,sqlite_json -o "$work/influxd" "$module/cmd/influxd"
mv "$work/influxd" "$target/influxd.new"
mv "$target/influxd.new" "$target/influxd"
