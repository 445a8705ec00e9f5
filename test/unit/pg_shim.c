/*-------------------------------------------------------------------------
 *
 * pg_shim.c
 *		Memory contexts and errors outside of a server.
 *
 * Every block is an allocation of its own, so that an address sanitizer or
 * valgrind sees each overrun and each use after a free.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <stdio.h>
#include <stdlib.h>

#include "utils/memutils.h"

#include "pg_shim.h"

#undef vsnprintf
#undef snprintf
#undef fprintf

/* ------------------------------------------------------------------------
 * Memory contexts
 * ------------------------------------------------------------------------
 */
typedef struct ShimContext
{
	struct ShimContext *parent;
	struct ShimContext *child;	/* first one */
	struct ShimContext *sibling;
	struct ShimBlock *blocks;
	MemoryContextCallback *callbacks;
} ShimContext;

typedef struct ShimBlock
{
	ShimContext *context;
	struct ShimBlock *prev;
	struct ShimBlock *next;
	Size		size;
} ShimBlock;

#define BLOCK_HEADER MAXALIGN(sizeof(ShimBlock))

MemoryContext CurrentMemoryContext = NULL;
MemoryContext TopMemoryContext = NULL;
MemoryContext ErrorContext = NULL;

static long blocks_in_use = 0;

static void *
payload(ShimBlock *block)
{
	return (char *) block + BLOCK_HEADER;
}

static ShimBlock *
block_of(void *pointer)
{
	return (ShimBlock *) ((char *) pointer - BLOCK_HEADER);
}

static void
link_block(ShimContext *context, ShimBlock *block)
{
	block->context = context;
	block->prev = NULL;
	block->next = context->blocks;
	if (block->next != NULL)
		block->next->prev = block;
	context->blocks = block;
}

static void
unlink_block(ShimBlock *block)
{
	if (block->next != NULL)
		block->next->prev = block->prev;
	if (block->prev != NULL)
		block->prev->next = block->next;
	else
		block->context->blocks = block->next;
}

static void *
checked(void *pointer)
{
	if (pointer == NULL)
	{
		fprintf(stderr, "out of memory\n");
		abort();
	}
	return pointer;
}

void *
MemoryContextAlloc(MemoryContext context, Size size)
{
	ShimBlock  *block = checked(malloc(BLOCK_HEADER + size));

	block->size = size;
	link_block((ShimContext *) context, block);
	blocks_in_use++;
	return payload(block);
}

void *
MemoryContextAllocZero(MemoryContext context, Size size)
{
	return memset(MemoryContextAlloc(context, size), 0, size);
}

void *
MemoryContextAllocExtended(MemoryContext context, Size size, int flags)
{
	if (flags & MCXT_ALLOC_ZERO)
		return MemoryContextAllocZero(context, size);
	return MemoryContextAlloc(context, size);
}

void *
MemoryContextAllocHuge(MemoryContext context, Size size)
{
	return MemoryContextAlloc(context, size);
}

void *
palloc(Size size)
{
	return MemoryContextAlloc(CurrentMemoryContext, size);
}

void *
palloc0(Size size)
{
	return MemoryContextAllocZero(CurrentMemoryContext, size);
}

void *
palloc_extended(Size size, int flags)
{
	return MemoryContextAllocExtended(CurrentMemoryContext, size, flags);
}

void *
repalloc(void *pointer, Size size)
{
	ShimBlock  *block = block_of(pointer);
	ShimContext *context = block->context;

	unlink_block(block);
	block = checked(realloc(block, BLOCK_HEADER + size));
	block->size = size;
	link_block(context, block);
	return payload(block);
}

void *
repalloc_huge(void *pointer, Size size)
{
	return repalloc(pointer, size);
}

void
pfree(void *pointer)
{
	unlink_block(block_of(pointer));
	free(block_of(pointer));
	blocks_in_use--;
}

char *
MemoryContextStrdup(MemoryContext context, const char *string)
{
	Size		size = strlen(string) + 1;

	return memcpy(MemoryContextAlloc(context, size), string, size);
}

char *
pstrdup(const char *in)
{
	return MemoryContextStrdup(CurrentMemoryContext, in);
}

char *
pnstrdup(const char *in, Size len)
{
	Size		size = strnlen(in, len);
	char	   *result = palloc(size + 1);

	memcpy(result, in, size);
	result[size] = '\0';
	return result;
}

MemoryContext
AllocSetContextCreateInternal(MemoryContext parent, const char *name,
							  Size minContextSize, Size initBlockSize,
							  Size maxBlockSize)
{
	ShimContext *context = checked(calloc(1, sizeof(ShimContext)));

	context->parent = (ShimContext *) parent;
	if (parent != NULL)
	{
		context->sibling = context->parent->child;
		context->parent->child = context;
	}
	return (MemoryContext) context;
}

void
MemoryContextRegisterResetCallback(MemoryContext context,
								   MemoryContextCallback *cb)
{
	cb->next = ((ShimContext *) context)->callbacks;
	((ShimContext *) context)->callbacks = cb;
}

void
MemoryContextReset(MemoryContext context)
{
	ShimContext *shim = (ShimContext *) context;

	while (shim->child != NULL)
		MemoryContextDelete((MemoryContext) shim->child);
	while (shim->callbacks != NULL)
	{
		MemoryContextCallback *callback = shim->callbacks;

		shim->callbacks = callback->next;
		callback->func(callback->arg);
	}
	while (shim->blocks != NULL)
		pfree(payload(shim->blocks));
}

void
MemoryContextDelete(MemoryContext context)
{
	ShimContext *shim = (ShimContext *) context;
	ShimContext **place;

	MemoryContextReset(context);
	if (shim->parent != NULL)
	{
		for (place = &shim->parent->child; *place != shim;
			 place = &(*place)->sibling)
			;
		*place = shim->sibling;
	}
	free(shim);
}

void
pg_shim_init(void)
{
	TopMemoryContext = AllocSetContextCreateInternal(NULL, "top", 0, 0, 0);
	ErrorContext = AllocSetContextCreateInternal(TopMemoryContext, "error",
												 0, 0, 0);
	CurrentMemoryContext = TopMemoryContext;
}

long
pg_shim_blocks(void)
{
	return blocks_in_use;
}

/* ------------------------------------------------------------------------
 * Errors
 * ------------------------------------------------------------------------
 */
sigjmp_buf *PG_exception_stack = NULL;
ErrorContextCallback *error_context_stack = NULL;

static int	error_level = 0;
static int	error_code = 0;
static char error_message[1024];
static char error_detail[1024];
static char error_hint[1024];

bool
errstart(int elevel, const char *domain)
{
	if (elevel < ERROR)
		return false;
	error_level = elevel;
	error_code = ERRCODE_INTERNAL_ERROR;
	error_message[0] = error_detail[0] = error_hint[0] = '\0';
	return true;
}

bool
errstart_cold(int elevel, const char *domain)
{
	return errstart(elevel, domain);
}

void
pg_re_throw(void)
{
	if (error_level == ERROR && PG_exception_stack != NULL)
		siglongjmp(*PG_exception_stack, 1);
	fprintf(stderr, "%s\n", error_message);
	abort();
}

void
errfinish(const char *filename, int lineno, const char *funcname)
{
	pg_re_throw();
}

int
errcode(int sqlerrcode)
{
	error_code = sqlerrcode;
	return 0;
}

/* Each of these takes a format and keeps the text. */
#define KEEP_TEXT(function, buffer) \
int \
function(const char *fmt,...) \
{ \
	va_list		args; \
	va_start(args, fmt); \
	vsnprintf(buffer, sizeof(buffer), fmt, args); \
	va_end(args); \
	return 0; \
}

KEEP_TEXT(errmsg, error_message)
KEEP_TEXT(errmsg_internal, error_message)
KEEP_TEXT(errdetail, error_detail)
KEEP_TEXT(errdetail_internal, error_detail)
KEEP_TEXT(errhint, error_hint)

void
FlushErrorState(void)
{
	error_level = 0;
}

int
pg_shim_error_code(void)
{
	return error_code;
}

const char *
pg_shim_error_message(void)
{
	return error_message;
}

const char *
pg_shim_error_hint(void)
{
	return error_hint;
}
