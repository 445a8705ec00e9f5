# test/lib.sh: what test/check, test/demo, test/matrix and bench/ share.
#
# To be sourced by bash.  Everything happens in one scratch directory, $WORK,
# which goes away when the script ends, however it ends, with every server and
# program that was started through this file.  The server's directories are
# never written to: "stage_server" makes a private copy of the installation
# below $WORK (a server finds its files relative to its own binary), and
# "make install" goes there.  So nothing has to be undone, runs do not disturb
# each other, and the checkout stays as it is.
#
# In order:
#
#	. "$(dirname "$0")/lib.sh"
#	need_packages "${BUILD_PACKAGES[@]}"	installs what is missing, as root
#	find_server			sets PG_CONFIG, PG_MAJOR
#	make_scratch		sets WORK, RUN_USER; cleans up at exit
#	stage_server		sets STAGE, BINDIR; PG_CONFIG is the copy's
#	copy_tree			sets TREE, the copy to build in
#	build_tree [make arguments]
#	start_server NAME [setting...]	a cluster that preloads provreq;
#						exports PGHOST, PGPORT, PGUSER, PGDATABASE
#	stop_server NAME
#
# and any time: as_user COMMAND..., free_port, start_program LOG COMMAND...,
# wait_until SECONDS COMMAND..., say TEXT, die TEXT.
#
# PROVREQ_KEEP=1 keeps the scratch directory, and says where it is.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# What a build and the tests need; STYLE_PACKAGES only the style tools and
# FUZZ_PACKAGES only the fuzz targets.  The server's own packages are added by
# their major version.
BUILD_PACKAGES=(gcc libc6-dev make pkg-config perl libcurl4-openssl-dev
	libxml2-dev libxml2-utils libmicrohttpd-dev libgnutls28-dev libipc-run-perl
	openssl curl)
STYLE_PACKAGES=(binutils clang clang-tidy pg-bsd-indent)
FUZZ_PACKAGES=(clang libclang-rt-dev)

WORK=
STAGE=
PROGRAMS=()
MADE_USER=

say() {
	printf '%s\n' "$*"
}

die() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}

# --------------------------------------------------------------- packages

is_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# The major version to test: PROVREQ_PG_MAJOR, else that of PG_CONFIG, else of
# the pg_config in the path, else of the distribution's package.
server_major() {
	local config=${PG_CONFIG:-pg_config}

	if [ -n "${PROVREQ_PG_MAJOR:-}" ]; then
		echo "$PROVREQ_PG_MAJOR"
	elif command -v "$config" >/dev/null; then
		"$config" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/'
	else
		apt-cache depends postgresql 2>/dev/null |
			sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | head -n 1
	fi
}

# Installs those of the packages that are missing, and the server's; without
# any missing, it needs neither root nor network.
need_packages() {
	local major

	if ! command -v dpkg-query >/dev/null; then
		say "no Debian package manager here: taking what is installed"
		return
	fi
	major=$(server_major)
	if [ -z "$major" ]; then
		refresh_package_lists
		major=$(server_major)
	fi
	need_debian_packages "$@" "postgresql-$major" "postgresql-server-dev-$major"
}

need_debian_packages() {
	local package missing=() log

	for package; do
		is_installed "$package" || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	[ "$(id -u)" = 0 ] || die "as root, install first: ${missing[*]}"
	say "installing ${missing[*]}"
	log=$(mktemp)
	if ! install_packages "${missing[@]}" >"$log" 2>&1 </dev/null; then
		tail -n 30 "$log" >&2
		rm -f "$log"
		die "could not install the packages"
	fi
	rm -f "$log"
}

# One at a time: two runs may want packages at once.
install_packages() (
	flock 9
	refresh_package_lists
	DEBIAN_FRONTEND=noninteractive apt-get -qy install \
		--no-install-recommends "$@"
) 9</var/lib/dpkg

refresh_package_lists() {
	apt-get -q update >/dev/null 2>&1 </dev/null || true
}

# Sets PG_CONFIG to the one beside the server and PG_MAJOR to its version.
find_server() {
	PG_MAJOR=$(server_major)
	if [ -z "${PG_CONFIG:-}" ] &&
			[ -x "/usr/lib/postgresql/$PG_MAJOR/bin/pg_config" ]; then
		PG_CONFIG=/usr/lib/postgresql/$PG_MAJOR/bin/pg_config
	fi
	PG_CONFIG=${PG_CONFIG:-pg_config}
	[ -f "$("$PG_CONFIG" --pgxs)" ] ||
		die "$PG_CONFIG: no PGXS (package postgresql-server-dev-$PG_MAJOR)"
	export PG_CONFIG PG_MAJOR
}

# ---------------------------------------------------------------- scratch

# Makes $WORK and settles who runs the servers: a server refuses to be root.
make_scratch() {
	trap cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	WORK=$(mktemp -d /tmp/provreq.XXXXXX)
	choose_user
	mkdir "$WORK/home" "$WORK/sock" "$WORK/log"
	chown "$RUN_USER" "$WORK" "$WORK"/*
	chmod 755 "$WORK"
	unset PGHOST PGPORT PGUSER PGDATABASE PGSERVICE PGOPTIONS PGPASSFILE
	export LC_ALL=C.UTF-8
}

choose_user() {
	if [ "$(id -u)" != 0 ]; then
		RUN_USER=$(id -un)
	elif id -u postgres >/dev/null 2>&1; then
		RUN_USER=postgres
	else
		RUN_USER=provreq-test-$$
		useradd --system --no-create-home --shell /bin/sh "$RUN_USER"
		MADE_USER=$RUN_USER
	fi
}

# Runs a command as the user who runs the servers.
as_user() {
	if [ "$(id -un)" = "$RUN_USER" ]; then
		HOME=$WORK/home "$@"
	else
		runuser -u "$RUN_USER" -- env HOME="$WORK/home" "$@"
	fi
}

# Stops whatever server runs on a cluster in the scratch directory, those of
# an interrupted TAP test too.
stop_all_servers() {
	local file

	find "$WORK" -name postmaster.pid 2>/dev/null | while read -r file; do
		as_user "$BINDIR/pg_ctl" -w -D "$(dirname "$file")" -m immediate stop \
			>/dev/null 2>&1 </dev/null
	done
}

cleanup() {
	local status=$? pid

	trap '' INT TERM HUP
	trap - EXIT
	for pid in "${PROGRAMS[@]}"; do
		kill "$pid" 2>/dev/null
	done
	[ -z "$WORK" ] || stop_all_servers
	wait 2>/dev/null
	if [ -n "${PROVREQ_KEEP:-}" ]; then
		say "kept: $WORK" >&2
	elif [ -n "$WORK" ]; then
		rm -rf "$WORK"
	fi
	[ -z "$MADE_USER" ] || userdel "$MADE_USER" 2>/dev/null
	exit "$status"
}

# -------------------------------------------------------- server and build

# Makes a private copy of the server's installation: the programs as copies,
# since each finds the rest from where it lies; libraries and shared files as
# links, among which "make install" puts ours.
stage_server() {
	local kind dir

	STAGE=$WORK/stage
	for kind in sharedir pkglibdir; do
		dir=$("$PG_CONFIG" "--$kind")
		mkdir -p "$STAGE$dir"
		cp -as "$dir/." "$STAGE$dir/"
	done
	dir=$("$PG_CONFIG" --bindir)
	mkdir -p "$STAGE$dir"
	cp -L "$dir"/* "$STAGE$dir/"
	BINDIR=$STAGE$dir
	for kind in includedir libdir; do
		dir=$("$PG_CONFIG" "--$kind")
		mkdir -p "$STAGE$(dirname "$dir")"
		[ -e "$STAGE$dir" ] || ln -s "$dir" "$STAGE$dir"
	done
	chown -R "$RUN_USER" "$STAGE"
	SYSTEM_PG_CONFIG=$PG_CONFIG
	PG_CONFIG=$BINDIR/pg_config
	PATH=$BINDIR:$PATH
	export PATH PG_CONFIG
}

# Copies the sources, without what is built from them, for the user to build.
copy_tree() {
	TREE=$WORK/tree
	mkdir "$TREE"
	tar -C "$ROOT" -cf - --exclude=./.git --exclude='*.o' --exclude='*.bc' \
		--exclude='*.so' --exclude='./test/*/build' \
		--exclude='./test/simulator/*_simulator' . | tar -C "$TREE" -xf -
	chown -R "$RUN_USER" "$TREE"
}

# Builds and installs into the private copy of the server; arguments go to
# make.  The output is kept in $WORK/log/build.log.
build_tree() {
	as_user make -C "$TREE" -k -j"$(nproc)" "$@" >"$WORK/log/build.log" 2>&1 &&
		as_user make -C "$TREE" install "$@" >>"$WORK/log/build.log" 2>&1
}

# The directory of PostgreSQL's test programs and Perl modules.
server_test_dir() {
	echo "$(dirname "$("$SYSTEM_PG_CONFIG" --pgxs)")/../../src/test"
}

# ---------------------------------------------------------------- servers

# Starts a new cluster, on a socket only, with the settings of
# test/regress.conf and those given ("name = value" each).
start_server() {
	local name=$1 setting

	shift
	as_user "$BINDIR/initdb" -D "$WORK/$name" -U postgres -A trust -E UTF8 \
		--no-sync >"$WORK/log/$name.initdb" 2>&1 ||
		{ cat "$WORK/log/$name.initdb" >&2; die "initdb failed"; }
	{
		cat "$ROOT/test/regress.conf"
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$WORK/sock'"
		for setting; do
			echo "$setting"
		done
	} | as_user tee -a "$WORK/$name/postgresql.conf" >/dev/null
	if ! as_user "$BINDIR/pg_ctl" -w -D "$WORK/$name" \
			-l "$WORK/log/$name.log" start >"$WORK/log/$name.start" 2>&1 \
			</dev/null; then
		cat "$WORK/log/$name.start" "$WORK/log/$name.log" >&2
		die "the server did not start"
	fi
	export PGHOST=$WORK/sock PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
}

# Stops a server that start_server started; it keeps its data until the end.
stop_server() {
	as_user "$BINDIR/pg_ctl" -w -D "$WORK/$1" -m "${2:-fast}" stop \
		>/dev/null 2>&1
}

# ---------------------------------------------------------------- programs

# Prints a TCP port on 127.0.0.1 that was free just now.
free_port() {
	perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1,
		LocalAddr => "127.0.0.1")->sockport, "\n"'
}

# Starts a program in the background, as the user, and stops it at the end;
# PROGRAM_PID is its process.
start_program() {
	local log=$1

	shift
	if [ "$(id -un)" = "$RUN_USER" ]; then
		HOME=$WORK/home "$@" >"$log" 2>&1 </dev/null &
	else
		HOME=$WORK/home setpriv --reuid "$RUN_USER" --regid "$(id -g "$RUN_USER")" \
			--clear-groups "$@" >"$log" 2>&1 </dev/null &
	fi
	PROGRAM_PID=$!
	PROGRAMS+=("$PROGRAM_PID")
}

# Tries a command until it succeeds, for so many seconds at most.
wait_until() {
	local end=$((SECONDS + $1))

	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}
