/*-------------------------------------------------------------------------
 *
 * layout.h
 *		Messages of fixed fields, as data: a profile's layouts into bytes
 *		and back.
 *
 * A layout is a list of fields; see profiles/README for how a profile writes
 * them down.  A frame is how messages are told apart in a stream of bytes.
 * Values are canonical text, like those of a CasRequest.
 *
 * Compiling raises the errors of profile.h; encoding raises errors that name
 * the field; decoding never raises and never reads past the buffer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_LAYOUT_H
#define PROVREQ_LAYOUT_H

#include "lib/stringinfo.h"
#include "profile.h"

typedef struct Layout Layout;
typedef struct LayoutFrame LayoutFrame;

/* A named value; several of one name are the elements of a set. */
typedef struct LayoutValue
{
	const char *name;
	const char *value;
} LayoutValue;

/* What fields of the form "digest" are made with. */
typedef struct LayoutDigest
{
	const char *algorithm;		/* "none", "hmac-md5", "hmac-sha256": what a
								 * field of algorithm "option" takes */
	const char *key;			/* bytes; NULL = none */
	Size		key_len;
} LayoutDigest;

typedef enum LayoutDisplay
{
	LAYOUT_SHOWN,
	LAYOUT_SECRET				/* asterisks, but for those who may see it */
} LayoutDisplay;

/* A field as found in a message. */
typedef struct LayoutField
{
	const char *name;			/* of groups and TLV "products[1].product" */
	const char *value;			/* canonical: padding, leading zeros of
								 * integers and so on removed */
	const char *raw;			/* as it stands there; binary in hex */
	Size		offset;			/* in the whole frame */
	Size		len;
	LayoutDisplay display;
	const char *shown;			/* what layout_explain prints of it */
} LayoutField;

/* The member "frame" of a profile. */
extern LayoutFrame *layout_compile_frame(const ProfileNode *frame);

/*
 * An array of fields; groups is the profile's member "groups", an object of
 * such arrays, or NULL.  The frame is what lengths are computed by.
 */
extern Layout *layout_compile(const ProfileNode *fields,
							  const ProfileNode *groups,
							  const LayoutFrame *frame);

/* Does any field take a value of that name? */
extern bool layout_takes(const Layout *layout, const char *name);

/* Does a field that is not secret take it? */
extern bool layout_shows(const Layout *layout, const char *name);

/* Is there a field of that name (for decoding)? */
extern bool layout_has(const Layout *layout, const char *name);

/*
 * The greatest number that fits the field which takes the value of that name;
 * 0 if there is none.
 */
extern uint64 layout_greatest(const Layout *layout, const char *name);

/*
 * What the first field that takes the value of that name makes of it, without
 * the zeros and spaces that fill it up: two values of which this is the same
 * are the same in a message.  The value itself if no field takes it, or if it
 * does not fit.
 */
extern const char *layout_canonical(const Layout *layout, const char *name,
									const char *value);

/* Does a value fit all fields that take it?  If not, the reason. */
extern bool layout_fits(const Layout *layout, const char *name,
						const char *value, const char **reason);

/*
 * Appends a whole frame.  Raises ERRCODE_INVALID_PARAMETER_VALUE or
 * ERRCODE_STRING_DATA_RIGHT_TRUNCATION with the field's name when a value is
 * missing or does not fit; secret values are not repeated.
 */
extern void layout_encode(const Layout *layout, const LayoutDigest *digest,
						  const LayoutValue *values, int nvalues,
						  StringInfo out);

/* The longest frame, in bytes. */
extern Size layout_frame_max(const LayoutFrame *frame);

/*
 * Length of the frame that data begins with; 0 when more bytes are needed to
 * tell; -1 when it is none, with the reason.
 */
extern int64 layout_frame_length(const LayoutFrame *frame, const char *data,
								 Size len, const char **failure);

/*
 * Where the message begins and how long it is inside of a whole frame: less
 * an outer length.
 */
extern const char *layout_frame_body(const LayoutFrame *frame,
									 const char *data, Size len,
									 Size *body_len);

/*
 * Reads a whole frame: false, with the reason, unless every constant, every
 * length, count and digest is right and nothing is left over.  The fields, in
 * the order of the message, are a list of LayoutField *.
 */
extern bool layout_decode(const Layout *layout, const LayoutDigest *digest,
						  const char *data, Size len, List **fields,
						  const char **failure);

/* The value of the first field of that name, or NULL. */
extern const char *layout_value(const List *fields, const char *name);

/* "transaction_number 000000042 | command_type 01 | pin ****" */
extern char *layout_explain(const List *fields, bool secrets);

/*
 * Puts asterisks over the secret fields of a whole frame, and over a digest
 * that was made over one.
 */
extern void layout_mask(const List *fields, char *data);

#endif							/* PROVREQ_LAYOUT_H */
