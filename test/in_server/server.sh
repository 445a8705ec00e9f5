# Sourced by the scripts "run" of unit tests that are loaded into a server: a
# cluster of their own, which goes away with the script.
#
#   module=NAME
#   build=DIRECTORY
#   . ../in_server/server.sh
#
# Then $work is a directory that all can read, with the module in it, and
# $work/run one that the server can write.  The scripts end with "$status".

bindir=$("${PG_CONFIG:-pg_config}" --bindir)
work=$(mktemp -d "/tmp/$module.XXXXXX")
trap 'rm -rf "$work"' EXIT
status=0
count=0

chmod 755 "$work"
mkdir "$work/run"
if [ "$(id -u)" = 0 ]; then
	chown postgres "$work/run"
	as_user() { runuser -u postgres -- "$@"; }
else
	as_user() { "$@"; }
fi
install -m 755 "$build/$module.so" "$work/"
if ! as_user "$bindir/initdb" -D "$work/run/data" -A trust --no-sync \
	-E UTF8 --locale=C > "$work/log" 2>&1
then
	cat "$work/log"
	echo 'Bail out! initdb failed'
	exit 1
fi

# Runs the commands of standard input, with blank lines between them, in a
# database.  The log is shown when there is an error, or with UNIT_LOG set.
commands_in() {
	local failed=0

	(cd "$work/run" && as_user "$bindir/postgres" --single -j -F \
		-D "$work/run/data" "$1") > "$work/log" 2>&1 || failed=1
	! grep -qaE 'ERROR|FATAL|PANIC' "$work/log" || failed=1
	[ $failed = 0 ] || status=1
	[ $failed = 0 ] && [ -z "${UNIT_LOG:-}" ] || cat "$work/log"
}

# report RESULT NAME: one more test; 0 has passed.
report() {
	count=$((count + 1))
	if [ "$1" = 0 ]; then
		echo "ok - $2"
	else
		echo "not ok - $2"
		status=1
	fi
}

# Shows what a module has written with tap.c, as far as it came.
show_tap() {
	cat "$1"
	count=$((count + $(grep -c '^\(not \)\?ok' "$1" || true)))
	! grep -q '^not ok' "$1" || status=1
	grep -q '^# end' "$1" || report 1 "$(basename "$1") comes to its end"
}
