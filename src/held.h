/*-------------------------------------------------------------------------
 *
 * held.h
 *		Handles of foreign libraries, owned by a memory context.
 *
 * What libcurl, libxml2 or the kernel gives us is not palloc'd.  A Held ties
 * such a handle to a memory context: it is released when the context is
 * reset or deleted, also by an error, and so needs no PG_TRY.
 *
 * First held_new, then get the handle, then held_keep: everything that may
 * raise is done before there is anything to lose.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_HELD_H
#define PROVREQ_HELD_H

/* Gives a handle back to its library.  Must not raise. */
typedef void (*HeldRelease) (void *handle);

typedef struct Held Held;

/*
 * Room for one handle in the current memory context, nothing held yet.
 * Handles of one context are released in the reverse order of held_new.
 */
extern Held *held_new(HeldRelease release);

/*
 * Keeps the handle and returns it.  NULL, which is how libraries say that
 * they are out of memory, raises an error that names what.
 */
extern void *held_keep(Held *held, void *handle, const char *what);

/* Releases the handle now; nothing happens when there is none. */
extern void held_release(Held *held);

/*
 * A file descriptor that is closed with the current memory context.  A
 * negative one raises an error from errno that names what.
 */
extern Held *held_new_descriptor(void);
extern int	held_keep_descriptor(Held *held, int fd, const char *what);

#endif							/* PROVREQ_HELD_H */
