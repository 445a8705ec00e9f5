# How unit tests that run inside of a server are built: a module of sources of
# the extension and the tests, loaded by a single-user server of its own, which
# gives them the real memory contexts, errors and jsonb.
#
#   make check          prints TAP; works as root too, the server then runs
#                       as postgres
#
# PG_CONFIG chooses the server.  The Makefile that includes this sets
#
#   MODULE              its name; "run" calls its functions
#   PARTS               sources of the extension, without .c
#   PACKAGES            of pkg-config that they need, or nothing
#   MODULE_CFLAGS       more flags, or nothing

PG_CONFIG = pg_config
SRC = ../../src
BUILD = build
TESTS = $(basename $(wildcard unit*.c))
OBJS = $(PARTS:%=$(BUILD)/%.o) $(TESTS:%=$(BUILD)/%.o) $(BUILD)/tap.o
UNIT_CFLAGS = -O1 -g -fPIC -Wall -Wextra -Wshadow -Wstrict-prototypes \
	-Wold-style-definition -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Wdeclaration-after-statement \
	$(MODULE_CFLAGS) -I$(SRC) -I../in_server \
	-I$(shell $(PG_CONFIG) --includedir-server) \
	$(if $(PACKAGES),$(shell pkg-config --cflags $(PACKAGES)))

.PHONY: check clean
check: $(BUILD)/$(MODULE).so
	PG_CONFIG='$(PG_CONFIG)' sh ./run $(BUILD)

$(BUILD)/$(MODULE).so: $(OBJS)
	$(CC) -shared $(CFLAGS) $(LDFLAGS) -o $@ $(OBJS) \
		$(if $(PACKAGES),$(shell pkg-config --libs $(PACKAGES)))

$(OBJS): $(wildcard $(SRC)/*.h *.h ../in_server/*.h) | $(BUILD)

$(PARTS:%=$(BUILD)/%.o): $(BUILD)/%.o: $(SRC)/%.c
	$(CC) $(UNIT_CFLAGS) $(CFLAGS) -c -o $@ $<

$(TESTS:%=$(BUILD)/%.o): $(BUILD)/%.o: %.c
	$(CC) $(UNIT_CFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/tap.o: ../in_server/tap.c
	$(CC) $(UNIT_CFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD):
	mkdir -p $@

clean:
	rm -rf $(BUILD)
