# tools/lib.sh: what tidy, analyze and warnings share; to be sourced by sh.

top=$(cd "$(dirname "$0")/.." && pwd)
pg_config=${PG_CONFIG:-pg_config}

# The compiler's flags for the files of src/.  An analyzer learns from Assert()
# what the code may rely on, hence assertions are on.
analyzer_flags() {
	echo "-DUSE_ASSERT_CHECKING $(source_flags)"
}

source_flags() {
	echo "-I$("$pg_config" --includedir-server) -D_GNU_SOURCE" \
		"$(pkg-config --cflags libcurl libxml-2.0)"
}

# The warnings wanted over the server's own flags
strict_warnings='-Wall -Wextra -Wshadow -Wstrict-prototypes
	-Wold-style-definition -Wdeclaration-after-statement -Wno-unused-parameter
	-Wno-sign-compare -Wno-missing-field-initializers'

# Runs a command with each file of src/*.c, or of those given, as its last
# argument, as many at once as there are processors; fails when one of them
# failed.
each_source() {
	files=$1
	shift
	printf '%s\n' ${files:-"$top"/src/*.c} |
		xargs -n 1 -P "$(nproc)" "$@"
}
