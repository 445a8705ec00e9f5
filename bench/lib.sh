# bench/lib.sh: what the benchmarks share.
#
# To be sourced by bash.  A benchmark prepares everything itself, below a
# scratch directory that goes away at its end: see test/lib.sh.
#
#	bench_prepare				packages, build, programs, certificate
#	bench_machine				prints what it runs on
#	bench_cluster NAME [setting...]
#								a cluster where everything is durable
#	bench_server [setting...]	the cluster "bench", and the extension in its
#								database
#	bench_simulator http|https	a Conax simulator; sets SIM_URL, SIM_CONTROL,
#								SIM_LEDGER
#	bench_provider				the provider "bench", for that simulator
#	bench_link_simulator nagravision|nds
#								one of those; sets SIM_PORT, SIM_CONTROL,
#								SIM_LEDGER
#	bench_link_provider nagravision|nds
#								the provider "bench", for that simulator
#	bench_directory CARDS [STEP]
#								so many smartcards, and one service; STEP is
#								from one CA ID to the next
#	sql STATEMENT...			runs statements, prints bare values
#	median FILE, spread FILE	of the numbers in a file, one a line
#	percentiles FILE			p50 p90 p99 and the greatest
#
# Every benchmark measures against something in the same run, in turns, since
# no number means anything on another machine, or beside another load.

. "$(dirname "${BASH_SOURCE[0]}")/../test/lib.sh"

BENCH_USER=bench
BENCH_PASSWORD=not-a-secret
SIM_COUNT=0

# Prints the comment at the head of the calling script.
bench_usage() {
	sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
	exit "$1"
}

# --name=value or --name value; sets the variable, for the options in OPTIONS.
bench_options() {
	local name value

	while [ $# -gt 0 ]; do
		case $1 in
			--help) bench_usage 0 ;;
			--*=*) name=${1%%=*} value=${1#*=} ;;
			--*) name=$1 value=${2:-} && shift ;;
			*) bench_usage 2 >&2 ;;
		esac
		shift
		name=${name#--}
		[[ " $OPTIONS " == *" $name "* ]] && [ -n "$value" ] || bench_usage 2 >&2
		printf -v "$(tr a-z- A-Z_ <<<"$name")" '%s' "$value"
	done
}

bench_prepare() {
	need_packages "${BUILD_PACKAGES[@]}" libpq-dev
	find_server
	make_scratch
	stage_server
	copy_tree
	build_tree with_llvm=no ||
		{ tail -n 30 "$WORK/log/build.log" >&2; die "could not build"; }
	as_user make -C "$TREE/test/simulator" >"$WORK/log/programs.log" 2>&1 &&
		as_user make -C "$TREE/bench" PG_CONFIG="$SYSTEM_PG_CONFIG" \
			>>"$WORK/log/programs.log" 2>&1 ||
		{ tail -n 30 "$WORK/log/programs.log" >&2; die "could not build"; }
}

bench_machine() {
	say "$(date -u '+%Y-%m-%d %H:%M UTC'), $(uname -sr), $(nproc) cores," \
		"$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
	say "load of the last minute before: $(cut -d' ' -f1 /proc/loadavg);" \
		"$(df -PT "$WORK" | awk 'NR == 2 { print $2 " on " $1 }')"
	say "$("$PG_CONFIG" --version), $(pkg-config --modversion libcurl | sed 's/^/libcurl /')," \
		"$(pkg-config --modversion libmicrohttpd | sed 's/^/libmicrohttpd /')"
}

sql() {
	local statement arguments=()

	for statement; do
		arguments+=(-c "$statement")
	done
	"$BINDIR/psql" -XAtq -v ON_ERROR_STOP=1 "${arguments[@]}"
}

# Everything is durable; checkpoints are rare, so that they fall on both sides
# of a comparison alike.
bench_cluster() {
	local name=$1

	shift
	start_server "$name" 'fsync = on' 'synchronous_commit = on' \
		'full_page_writes = on' 'shared_buffers = 256MB' 'max_wal_size = 8GB' \
		'checkpoint_timeout = 1h' 'track_commit_timestamp = on' "$@"
}

bench_server() {
	bench_cluster bench "$@"
	sql 'CREATE EXTENSION provreq'
	say "$(sql "SELECT string_agg(name || ' = ' || current_setting(name), ', ' ORDER BY name)
		FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes',
			'shared_buffers', 'provreq.batch_size', 'provreq.window', 'autovacuum')")"
}

# ---------------------------------------------------------------- simulator

bench_certificate() {
	[ ! -f "$WORK/home/server.pem" ] || return 0
	as_user openssl req -x509 -newkey rsa:2048 -nodes -days 2 \
		-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \
		-keyout "$WORK/home/server.key" -out "$WORK/home/server.pem" \
		>/dev/null 2>&1 || die "could not make a certificate"
}

bench_simulator() {
	local scheme=$1 tls=() port=$WORK/home/port.$((++SIM_COUNT))

	shift
	SIM_LEDGER=$WORK/home/ledger.$SIM_COUNT
	SIM_CONTROL=$WORK/sock/simulator.$SIM_COUNT
	SIM_SCHEME=$scheme
	if [ "$scheme" = https ]; then
		bench_certificate
		tls=(--tls-cert "$WORK/home/server.pem" --tls-key "$WORK/home/server.key")
	fi
	start_program "$WORK/log/simulator.log" \
		"$TREE/test/simulator/conax_simulator" --port-file "$port" "${tls[@]}" \
		--user "$BENCH_USER" --password "$BENCH_PASSWORD" \
		--ledger "$SIM_LEDGER" --control "$SIM_CONTROL" "$@"
	SIM_PID=$PROGRAM_PID
	wait_until 10 test -s "$port" || die "the simulator did not start"
	SIM_URL=$scheme://127.0.0.1:$(cat "$port")
}

bench_link_simulator() {
	local kind=$1 program=nds_simulator port=$WORK/home/port.$((++SIM_COUNT))
	local own=(--key "$BENCH_PASSWORD")

	shift
	if [ "$kind" = nagravision ]; then
		program=nagra_simulator
		own=(--window "$WINDOW")
	fi
	SIM_LEDGER=$WORK/home/ledger.$SIM_COUNT
	SIM_CONTROL=$WORK/sock/simulator.$SIM_COUNT
	start_program "$WORK/log/simulator.log" "$TREE/test/simulator/$program" \
		--port-file "$port" "${own[@]}" \
		--ledger "$SIM_LEDGER" --control "$SIM_CONTROL" "$@"
	SIM_PID=$PROGRAM_PID
	wait_until 10 test -s "$port" || die "the simulator did not start"
	SIM_PORT=$(cat "$port")
}

# One line to the simulator's control socket, one line back.
bench_control() {
	perl -MIO::Socket::UNIX -e '
		my $s = IO::Socket::UNIX->new(Peer => shift) or die "control socket: $!\n";
		print $s "@ARGV\n"; print scalar <$s>;' "$SIM_CONTROL" "$@"
}

# ----------------------------------------------------------------- requests

bench_provider() {
	local guard="allow_plaintext 'true'"

	[ "$SIM_SCHEME" = http ] || guard="ca_file '$WORK/home/server.pem'"
	sql "CREATE SERVER bench FOREIGN DATA WRAPPER conax_web_services
			OPTIONS (url '$SIM_URL', connections '${CONNECTIONS:-16}', $guard)" \
		"CREATE USER MAPPING FOR provreq_worker SERVER bench
			OPTIONS (username '$BENCH_USER', password '$BENCH_PASSWORD')"
}

bench_link_provider() {
	local own="window '${WINDOW:-64}', source_id '1001', dest_id '9', mop_ppid '7'"
	local user=

	if [ "$1" = nds ]; then
		own="connections '${CONNECTIONS:-16}', from_id '0A01', to_id '00C5'"
		user="OPTIONS (key '$BENCH_PASSWORD')"
	fi
	sql "CREATE SERVER bench FOREIGN DATA WRAPPER $1
			OPTIONS (host '127.0.0.1', port '$SIM_PORT', $own)" \
		"CREATE USER MAPPING FOR provreq_worker SERVER bench $user"
}

bench_directory() {
	sql "INSERT INTO provreq.subscription (number) VALUES ('S1')" \
		"INSERT INTO provreq.product (code) VALUES ('SPORT')" \
		"INSERT INTO provreq.service_mapping (product_id, service_ca_id)
			SELECT id, '1001' FROM provreq.product" \
		"INSERT INTO provreq.installed_item (serial_number, classification, ca_id)
			SELECT 'card' || i, 'SMARTCARD', to_char(i * ${2:-1}, 'FM000000000000')
			FROM generate_series(1, $1) i" \
		"VACUUM ANALYZE provreq.subscription, provreq.product,
			provreq.service_mapping, provreq.installed_item"
}

# --------------------------------------------------------------- statistics

median() {
	sort -g "$1" | awk '{ v[NR] = $1 }
		END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

# Median, least and greatest of the numbers in a file, in a format of printf.
spread() {
	sort -g "$1" | awk -v f="${2:-%.0f}" '{ v[NR] = $1 }
		END { m = (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2;
			printf "median " f "  (least " f ", greatest " f ")\n", m, v[1], v[NR] }'
}

percentiles() {
	sort -g "$1" | awk '{ v[NR] = $1 }
		function at(p) { i = int(NR * p + 0.999999); return v[i < 1 ? 1 : i] }
		END { printf "p50 %.2f  p90 %.2f  p99 %.2f  max %.2f  (%d)\n",
			at(0.5), at(0.9), at(0.99), v[NR], NR }'
}
