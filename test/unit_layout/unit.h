/*-------------------------------------------------------------------------
 *
 * unit.h
 *		What the unit tests of layouts share.
 *
 * Documents are written with ' instead of ".  Values are written as
 * "name=value;name=value", bytes with \xHH for what is not printable.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UNIT_H
#define UNIT_H

#include "layout.h"
#include "tap.h"

/* A profile as far as layouts go, and what compiling its "fields" gives. */
extern Layout *unit_compile(const char *document);

/* A frame alone. */
extern const LayoutFrame *unit_frame(const char *document);

/* The message of the error that compiling raises; "" if it raises none. */
extern const char *unit_compile_error(const char *document);

/* The digest that following calls use; NULL = none. */
extern const LayoutDigest *unit_digest;

/* A frame, or "ERROR message" when encoding raises. */
extern StringInfo unit_encode(const Layout *layout, const char *values);

/* The message of the error that encoding raises, with its SQLSTATE. */
extern const char *unit_encode_error(const Layout *layout,
									 const char *values, int *sqlstate);

/* Bytes to print, and back. */
extern char *unit_printed(const char *data, Size len);
extern StringInfo unit_bytes(const char *printed);

/*
 * What decoding gives, as values, or "FAILURE reason".  The data is put
 * where reading beyond its end is a fault of the processor.
 */
extern const char *unit_decode(const Layout *layout, const char *data,
							   Size len);

/* A document, values, the frame they make, and what that is read as. */
typedef struct UnitCase
{
	const char *name;
	const char *document;
	const char *values;
	const char *frame;
	const char *decoded;
}			UnitCase;

extern void unit_cases(const UnitCase * cases, int ncases);

/* A frame around fields, with a two-byte length. */
#define FRAMED(fields) \
	"{'frame': {'length': {'form': 'uint', 'width': 2, 'outer': true, " \
	"'from': 'after'}}, 'fields': [" fields "]}"

extern void test_forms(void);
extern void test_frames(void);
extern void test_groups(void);
extern void test_digests(void);
extern void test_encode_errors(void);
extern void test_compile_errors(void);
extern void test_hostile(void);

#endif							/* UNIT_H */
