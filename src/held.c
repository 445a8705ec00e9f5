/*-------------------------------------------------------------------------
 *
 * held.c
 *		Handles of foreign libraries, owned by a memory context.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "held.h"

#include "storage/fd.h"
#include "utils/palloc.h"

struct Held
{
	MemoryContextCallback callback;
	HeldRelease release;
	void	   *handle;			/* NULL: nothing to release */
};

/* The memory context goes away. */
static void
held_callback(void *arg)
{
	held_release(arg);
}

Held *
held_new(HeldRelease release)
{
	Held	   *held = palloc0(sizeof(Held));

	held->release = release;
	held->callback.func = held_callback;
	held->callback.arg = held;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &held->callback);
	return held;
}

void *
held_keep(Held *held, void *handle, const char *what)
{
	if (handle == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not create %s", what)));
	Assert(held->handle == NULL);
	held->handle = handle;
	return handle;
}

void
held_release(Held *held)
{
	void	   *handle = held->handle;

	held->handle = NULL;
	if (handle != NULL)
		held->release(handle);
}

/* Descriptors are kept plus one: 0 is one of them, and NULL is none. */
static void
close_descriptor(void *handle)
{
	(void) close((int) ((intptr_t) handle - 1));
	ReleaseExternalFD();
}

Held *
held_new_descriptor(void)
{
	return held_new(close_descriptor);
}

int
held_keep_descriptor(Held *held, int fd, const char *what)
{
	if (fd < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create %s: %m", what)));
	ReserveExternalFD();
	(void) held_keep(held, (void *) ((intptr_t) fd + 1), what);
	return fd;
}
