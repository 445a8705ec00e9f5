/*-------------------------------------------------------------------------
 *
 * unit.h
 *		What the unit tests of the TCP transport share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UNIT_H
#define UNIT_H

#include "adapter.h"
#include "tap.h"
#include "unit_peer.h"

/* How long a test waits for what must come, ms. */
#define PATIENCE 20000

/* Where certificates are: server.crt, server.key, wrong.*, ca.crt. */
extern const char *unit_directory;
extern char *unit_file(const char *name);

/* ms of a clock that nobody sets. */
extern int64 unit_clock(void);

/*
 * unit_dialect.c: rules for a peer, with a window of 16, one link "cas-a",
 * numbers from blocks, no checks and no heartbeat; and a link with rules.
 */
extern CasLinkRules *unit_rules(int port);
extern int	unit_effort;		/* ns that it takes to read a frame */
extern int	unit_frames;		/* that were read, and the most memory that */
extern Size unit_frame_memory;	/* reading one found taken */
extern CasSettings *unit_settings(CasLinkRules *rules);
extern CasLink *unit_open(CasLinkRules *rules);

/*
 * unit.c: submits a message with a serial, padded to so many bytes; returns
 * the length of its frame.
 */
extern int	unit_submit(CasLink *link, int serial, int size);

/* Hands out numbers where they are wanted, in blocks of so many. */
extern void unit_give_numbers(CasLink *link, int block);
extern bool unit_generous;		/* it does */

/* Waits for replies, up to max, at least one unless it takes too long. */
extern int	unit_process(CasLink *link, CasReply *replies, int max);

/* Lets the link work until the condition holds; no reply may come. */
#define unit_until(link, condition) \
	do { \
		int64		unit_end = unit_clock() + PATIENCE; \
		while (!(condition) && unit_clock() < unit_end) \
			unit_turn(link); \
	} while (0)
extern void unit_turn(CasLink *link);

/* One message and its reply, which is valid until the next one. */
extern CasReply unit_exchange(CasLink *link, int serial);

/* The message with that serial got its own answer. */
extern bool unit_answered(const CasReply *reply, int serial);

struct epoll_event;
extern int	unit_epoll_wait(int fd, struct epoll_event *events, int max,
							int timeout);

extern void test_answers(void);
extern void test_time(void);
extern void test_memory(void);
extern void test_opening(void);
extern void test_lines(void);
extern void test_faults(void);
extern void test_bytes(void);
extern void test_connection_tests(void);
extern void test_cancelled_connection_test(void);

#endif							/* UNIT_H */
