/*-------------------------------------------------------------------------
 *
 * layout_private.h
 *		Layouts as they are compiled, for the files of layout.c alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_LAYOUT_PRIVATE_H
#define PROVREQ_LAYOUT_PRIVATE_H

#include "layout.h"

/* No document can make compiling or encoding grow beyond these. */
#define LAYOUT_MAX_DEPTH 8
#define LAYOUT_MAX_FIELDS 1000	/* of one layout, groups unfolded */
#define LAYOUT_MAX_FRAME (1024 * 1024)
#define LAYOUT_MAX_STEPS 100000 /* fields and elements of one message */
#define LAYOUT_MAX_ELEMENTS 65535	/* of one group */
#define LAYOUT_MAX_NAME 63

typedef enum FieldForm
{
	FORM_DECIMAL,
	FORM_HEX,
	FORM_TEXT,
	FORM_DATE,
	FORM_HEX_TEXT,
	FORM_UINT,
	FORM_UNIX_TIME,
	FORM_DIGEST,
	FORM_PADDING,
	FORM_GROUP,
	FORM_TLV,
	FORM_SELECT,
	FORM_USE					/* stands for others: never in a layout */
} FieldForm;

typedef enum WidthKind
{
	WIDTH_FIXED,
	WIDTH_FIELD,				/* as another field says */
	WIDTH_REST					/* all that is left */
} WidthKind;

typedef enum ComputeKind
{
	COMPUTE_NOTHING,
	COMPUTE_LENGTH,				/* of another field */
	COMPUTE_COUNT,				/* of the elements of a group */
	COMPUTE_MESSAGE				/* length of the message */
} ComputeKind;

typedef enum DigestKind
{
	DIGEST_OPTION,				/* as the provider is set up */
	DIGEST_NONE,
	DIGEST_HMAC_MD5,
	DIGEST_HMAC_SHA256,
	DIGEST_MD5,
	DIGEST_SHA256,
	DIGEST_INVALID
} DigestKind;

/* One entry of "map": a value, and what stands for it in the message. */
typedef struct FieldMapping
{
	const char *value;			/* NULL = every other one */
	const char *text;
} FieldMapping;

typedef struct FieldList
{
	struct FieldSpec **fields;
	int			nfields;
} FieldList;

/* One case of a select; value NULL = every other one. */
typedef struct SelectCase
{
	const char *value;
	FieldList	list;
} SelectCase;

typedef struct TlvItem
{
	uint64		tag;
	bool		repeat;			/* once for each value */
	struct FieldSpec *field;
} TlvItem;

/*
 * A field.  Which members mean something depends on the form.
 *
 * Fields that others refer to, and those that refer to others, have a mark:
 * their place in an array that encoder and decoder keep notes in.  Both
 * stand in the same list, so that in a group the notes are always about the
 * same element.
 */
typedef struct FieldSpec
{
	const ProfileNode *node;	/* where the profile has it */
	const char *name;			/* "" = none */
	FieldForm	form;
	bool		secret;
	const char *from;			/* name of the value that it takes, or NULL */
	int			slot;			/* the same as a number; -1 = none */
	int			mark;			/* -1 = none */
	bool		open_ended;		/* takes all that is left */

	WidthKind	width_kind;
	int			width;			/* in bytes */
	struct FieldSpec *width_field;

	const char *constant;		/* canonical, or NULL */
	const char *constant_bytes; /* what stands in the message: width bytes */
	const char *default_value;
	FieldMapping *map;
	int			nmap;
	int			take;			/* the first n; -n: the last n; 0: all */
	bool		pad_left;
	char		fill;			/* of text, and of padding */
	bool		lower;			/* hex letters */
	bool		utf8;
	bool		little;
	const char *pattern;		/* of dates, compiled */
	int			add_days;

	ComputeKind compute;
	struct FieldSpec *of;
	struct FieldSpec **measurers;	/* computed fields about this one that
									 * stand before it */
	int			nmeasurers;
	bool		after;			/* computed: stands behind what it is about */

	DigestKind	digest;
	int			digest_bytes;	/* 0 = all */
	bool		as_hex;
	int			block;			/* of padding */

	struct FieldSpec *count;	/* of a group: its own field, */
	struct FieldSpec *count_field;	/* or another one */
	int		   *each;			/* slots of the values it is repeated for */
	int			neach;
	int			max;
	FieldList	list;

	struct FieldSpec *tag;		/* of TLV */
	struct FieldSpec *length;
	struct FieldSpec *total;	/* NULL = it is open-ended */
	TlvItem    *items;
	int			nitems;
	bool		skip_unknown;

	struct FieldSpec *by;		/* of a select */
	SelectCase *cases;
	int			ncases;
} FieldSpec;

typedef enum LengthForm
{
	LENGTH_UINT,
	LENGTH_DECIMAL,
	LENGTH_HEX,
	LENGTH_NONE
} LengthForm;

typedef enum LengthFrom
{
	FROM_MESSAGE,				/* the first byte of the frame on */
	FROM_LENGTH,				/* the length field on */
	FROM_AFTER					/* only what follows the length field */
} LengthFrom;

struct LayoutFrame
{
	FieldSpec	length;			/* form, width and order of the length */
	bool		has_length;
	int			at;
	bool		outer;
	LengthFrom	from;
	int			digest_width;	/* of a digest that is not counted; else 0 */
	int64		size;			/* of every frame, if there is no length */
	int64		max;
};

struct Layout
{
	const LayoutFrame *frame;
	FieldList	list;
	FieldSpec  *digest;			/* the last field, if it is one */
	List	   *names;			/* of fields: of char * */
	List	   *fields;			/* all: of FieldSpec * */
	int			nmarks;
	const char **slots;			/* names of values */
	int			nslots;
	int			slots_size;
	int16	   *hash;			/* slot by hash of its name; -1 = free */
	uint32		hash_mask;
};

/* layout_frame.c */

/* What the length says of a message of so many bytes after an outer one. */
extern uint64 layout_stated_length(const LayoutFrame *frame, Size body);

/* What a field is called in messages for people. */
extern const char *layout_label(const FieldSpec *spec);

/* layout_names.c: which values a layout takes */
extern int	layout_add_slot(Layout *layout, const char *name);
extern void layout_hash_slots(Layout *layout);
extern int	layout_slot(const Layout *layout, const char *name);

/* layout_compile_value.c */
extern void layout_compile_source(Layout *layout, FieldSpec *spec,
								  const ProfileNode *node, bool has_width);

/* layout_compile_field.c */

/* Everything about a field but what refers to others. */
extern FieldSpec *layout_compile_scalar(Layout *layout,
										const ProfileNode *node,
										FieldForm form);
extern FieldSpec *layout_compile_integer(const ProfileNode *node,
										 const char *name);
extern FieldForm layout_form_of(const ProfileNode *node);

/* layout_format.c: values to bytes */
typedef enum FieldFault
{
	FAULT_NONE,
	FAULT_INVALID,
	FAULT_TOO_LONG
} FieldFault;

/*
 * Appends a value, with the reason why not when it does not fit, to be read
 * after the field's name.  A literal comes from the profile.
 */
extern FieldFault layout_format(const FieldSpec *spec, const char *value,
								bool literal, StringInfo out,
								const char **reason);
extern bool layout_put_number(const FieldSpec *spec, uint64 number,
							  char *bytes);
extern uint64 layout_greatest_of(const FieldSpec *spec);

/* The value through the map; whether it was named there. */
extern bool layout_map(const FieldSpec *spec, const char **value);

/* Decimal digits, or with "hex" also 0x and hex digits. */
extern bool layout_read_number(const char *str, bool hex, uint64 *number);

/* Writes a number in decimal with a zero byte; returns its length. */
extern int	layout_digits(uint64 number, char *str);

/* layout_date.c */

/* Length of what a pattern makes, or -1 and the reason. */
extern int	layout_compile_pattern(const char *pattern, const char **compiled,
								   const char **reason);
extern FieldFault layout_format_date(const FieldSpec *spec,
									 const char *value, bool literal,
									 char *to, const char **reason);
extern FieldFault layout_format_time(const char *value, uint64 *seconds,
									 const char **reason);

/* False unless it is a date; canonical NULL: the pattern is no whole date. */
extern bool layout_parse_date(const FieldSpec *spec, const char *data,
							  const char **canonical);
extern const char *layout_parse_time(uint64 seconds);

/* layout_digest.c */
#define LAYOUT_MAX_DIGEST 32

/* Bytes in the message; -1 and the reason when it cannot be made. */
extern int	layout_digest_width(const FieldSpec *spec,
								const LayoutDigest *digest,
								const char **reason);

/* Makes it over data, as it stands in a message. */
extern bool layout_digest_make(const FieldSpec *spec,
							   const LayoutDigest *digest, const char *data,
							   Size len, char *to, const char **reason);

/* Compares in constant time; takes letters of either case. */
extern bool layout_digest_equal(const FieldSpec *spec, const char *made,
								const char *found, int width);

/* layout_parse.c: bytes to values */
typedef struct TextStore
{
	char	   *next;
	Size		left;
} TextStore;

extern char *layout_store(TextStore *store, Size len);
extern char *layout_hex(TextStore *store, const char *data, Size len);
extern bool layout_get_number(const FieldSpec *spec, const char *data,
							  uint64 *number);

/*
 * Reads the bytes of a field: sets its value, raw and shown; the number too
 * if it is one.  False, with the reason, to be read after the field's name.
 */
extern bool layout_parse(const FieldSpec *spec, const char *data, Size len,
						 TextStore *store, LayoutField *field,
						 uint64 *number, const char **reason);

#endif							/* PROVREQ_LAYOUT_PRIVATE_H */
