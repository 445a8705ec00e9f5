# provreq: provisioning requests from PostgreSQL to conditional access systems
#
#   make                    build
#   make install            install for the server that PG_CONFIG belongs to
#   make installcheck       test against the running server at PGHOST, PGPORT,
#                           which must have shared_preload_libraries = 'provreq'
#   make installcheck-private
#                           the same on a server of its own (not as root)
#
# PG_CONFIG=/usr/lib/postgresql/17/bin/pg_config chooses another server;
# COPT=-Werror adds compiler flags; with_llvm=no leaves the JIT bitcode out,
# which happens by itself where the server's clang is not installed.
# "test/check" does all of it, from the packages on.

MODULE_big = provreq
EXTENSION = provreq
DATA_built = provreq--1.0.sql
PGFILEDESC = "provreq - provisioning requests to conditional access systems"

OBJS = \
	src/adapter.o \
	src/adapter_conax.o \
	src/adapter_conax_decode.o \
	src/adapter_conax_operations.o \
	src/adapter_conax_profile.o \
	src/adapter_framed.o \
	src/adapter_framed_answer.o \
	src/adapter_framed_link.o \
	src/adapter_framed_profile.o \
	src/adapter_nagravision.o \
	src/adapter_nds.o \
	src/api.o \
	src/api_again.o \
	src/api_arguments.o \
	src/api_function.o \
	src/api_provider.o \
	src/api_rules.o \
	src/api_trial.o \
	src/api_udf.o \
	src/api_values.o \
	src/attempt_history.o \
	src/breaker.o \
	src/caller.o \
	src/catalog_watch.o \
	src/complaint.o \
	src/connection_test.o \
	src/directory.o \
	src/directory_choice.o \
	src/directory_lookup.o \
	src/directory_query.o \
	src/directory_source.o \
	src/flight.o \
	src/flight_outcome.o \
	src/held.o \
	src/http.o \
	src/http_exchange.o \
	src/http_idle.o \
	src/http_test.o \
	src/inspect.o \
	src/instant.o \
	src/launcher.o \
	src/layout.o \
	src/layout_compile.o \
	src/layout_compile_field.o \
	src/layout_compile_group.o \
	src/layout_compile_value.o \
	src/layout_date.o \
	src/layout_decode.o \
	src/layout_digest.o \
	src/layout_encode.o \
	src/layout_format.o \
	src/layout_frame.o \
	src/layout_names.o \
	src/layout_parse.o \
	src/new_id.o \
	src/pin.o \
	src/process.o \
	src/profile.o \
	src/provider.o \
	src/provider_clash.o \
	src/provider_options.o \
	src/provider_status.o \
	src/provreq.o \
	src/queue.o \
	src/queue_create.o \
	src/queue_feed.o \
	src/queue_insert.o \
	src/queue_news.o \
	src/queue_numbers.o \
	src/queue_settle.o \
	src/queue_triggers.o \
	src/reconcile.o \
	src/run.o \
	src/runner.o \
	src/runner_chunk.o \
	src/saved_plan.o \
	src/schedule.o \
	src/schedule_heap.o \
	src/schedule_order.o \
	src/schedule_store.o \
	src/schedule_window.o \
	src/sender.o \
	src/sender_flights.o \
	src/sender_late.o \
	src/sender_learn.o \
	src/sender_numbers.o \
	src/sender_settings.o \
	src/sender_settle.o \
	src/sender_stats.o \
	src/sender_take.o \
	src/sender_work.o \
	src/session.o \
	src/settings.o \
	src/soap.o \
	src/soap_template.o \
	src/statement_cache.o \
	src/statement_text.o \
	src/stats.o \
	src/subtransaction.o \
	src/supervisor.o \
	src/take_lock.o \
	src/tcp_connect.o \
	src/tcp_connection.o \
	src/tcp_failure.o \
	src/tcp_frame.o \
	src/tcp_line.o \
	src/tcp_link.o \
	src/tcp_messages.o \
	src/tcp_numbers.o \
	src/tcp_test.o \
	src/trigger.o \
	src/trigger_change.o \
	src/trigger_key.o \
	src/trigger_request.o \
	src/trigger_row.o \
	src/trigger_rules.o \
	src/use_directory.o \
	src/values.o \
	src/verdict.o \
	src/wait_for.o \
	src/waiters.o \
	src/wake.o \
	src/wake_start.o \
	src/watch.o \
	src/web_api.o \
	src/web_api_call.o \
	src/web_api_create.o \
	src/web_api_members.o \
	src/web_api_read.o \
	src/wire_text.o

# The tests of sql/ in the order in which they run
REGRESS = \
	setup \
	directory \
	conax \
	conax_errors \
	show \
	list \
	preview \
	bulk \
	nagravision \
	nds \
	provider \
	runs \
	reconcile \
	trigger \
	use_directory \
	session \
	web_api \
	operate \
	reconcile_record \
	large \
	catalog \
	teardown
# The tests count characters
REGRESS_OPTS = --encoding=UTF8

# The directory of this file: srcdir is known only after the include below
HERE := $(dir $(firstword $(MAKEFILE_LIST)))

ISOLATION = $(patsubst $(HERE)test/specs/%.spec,%,\
	$(sort $(wildcard $(HERE)test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=$(srcdir)/test
TAP_TESTS = 1
PROVE_TESTS = test/t/*.pl
# Where the servers of the TAP tests note their ports; PGXS's choice lies among
# the installed files
export PG_TEST_PORT_DIR ?= $(CURDIR)/tmp_check
REGRESS_PREP = test-programs

PG_CPPFLAGS = $(shell pkg-config --cflags libcurl libxml-2.0)
SHLIB_LINK = $(shell pkg-config --libs libcurl libxml-2.0)

PG_CONFIG = pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)

SERVER_CLANG := $(shell sed -n 's/^CLANG *= *//p' $(dir $(PGXS))../Makefile.global)
ifeq ($(shell command -v '$(SERVER_CLANG)'),)
override with_llvm = no
endif

EXTRA_CLEAN = provreq--1.0.sql.new

include $(PGXS)

# Debian's PostgreSQL tracks no dependencies: every object needs every header
$(OBJS): $(wildcard $(srcdir)/src/*.h)

# A build outside the source tree needs the objects' directory
$(OBJS) $(OBJS:.o=.bc): | $(CURDIR)/src
$(CURDIR)/src:
	$(MKDIR_P) $@

provreq--1.0.sql: $(srcdir)/tools/assemble \
		$(srcdir)/schema/operation.macros \
		$(sort $(wildcard $(srcdir)/schema/*.sql)) \
		$(sort $(wildcard $(srcdir)/profiles/*.json))
	sh $^ > $@.new
	mv $@.new $@

# What the tests talk to
.PHONY: test-programs
test-programs:
	$(MAKE) -C $(srcdir)/test/simulator

.PHONY: installcheck-private
installcheck-private:
	$(MAKE) installcheck EXTRA_REGRESS_OPTS="--temp-instance=./tmp_check \
		--temp-config=$(abspath $(srcdir))/test/regress.conf"
