/*-------------------------------------------------------------------------
 *
 * layout_encode.c
 *		From values to a whole frame.
 *
 * Bytes are appended in the order of the layout.  A computed field that
 * stands before what it is about is left out at first and filled in when
 * that has been written; the length of the message when all of it has, just
 * before the digest, which is made over it too.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "layout_private.h"

/* Notes about a field that others refer to: see FieldSpec. */
typedef struct EncodeMark
{
	Size		start;
	Size		len;
	uint64		count;			/* elements of a group */
} EncodeMark;

typedef struct Encoder
{
	const Layout *layout;
	const LayoutDigest *digest;
	const LayoutValue *values;
	int			nvalues;
	int16	   *slot_of;		/* of each value; -1 = nobody takes it */
	const char **current;		/* the value of each slot, NULL = none */
	EncodeMark *marks;
	StringInfo	out;
	Size		frame;			/* where it begins */
	Size		body;			/* and the message in it */
	int			steps;
} Encoder;

/* Stands for the value of a slot that has several, outside of groups. */
static const char several[] = "";

static void encode_list(Encoder *enc, const FieldList *list);
COMPAT_NORETURN static void refuse(const FieldSpec *spec, FieldFault fault,
								   const char *reason);

static void
refuse(const FieldSpec *spec, FieldFault fault, const char *reason)
{
	ereport(ERROR,
			(errcode(fault == FAULT_TOO_LONG ?
					 ERRCODE_STRING_DATA_RIGHT_TRUNCATION :
					 ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("message field \"%s\" %s", layout_label(spec), reason),
			 spec->from && strcmp(spec->from, spec->name) != 0 ?
			 errdetail("The field takes the value of \"%s\".",
					   spec->from) : 0));
}

/* Room for so many more bytes, unless the frame gets too long. */
static char *
room(Encoder *enc, const FieldSpec *spec, Size len)
{
	char	   *to;

	if (enc->out->len - enc->frame + len > enc->layout->frame->max)
		refuse(spec, FAULT_TOO_LONG,
			   psprintf("makes the message longer than " INT64_FORMAT
						" bytes", enc->layout->frame->max));
	enlargeStringInfo(enc->out, len);
	to = enc->out->data + enc->out->len;
	enc->out->len += len;
	return to;
}

static void
put_number(Encoder *enc, const FieldSpec *spec, uint64 number, Size at)
{
	if (!layout_put_number(spec, number, enc->out->data + at))
		refuse(spec, FAULT_TOO_LONG,
			   psprintf("takes numbers up to " UINT64_FORMAT ", not "
						UINT64_FORMAT, layout_greatest_of(spec), number));
}

/* The one value that a field takes, or NULL. */
static const char *
one_value(Encoder *enc, const FieldSpec *spec)
{
	const char *value = spec->slot >= 0 ? enc->current[spec->slot] : NULL;

	if (value == several)
		refuse(spec, FAULT_INVALID, "takes one value, not several");
	return value ? value : spec->default_value;
}

/* A field that holds one value: constant, given or default. */
static void
encode_scalar(Encoder *enc, const FieldSpec *spec)
{
	const char *value;
	const char *reason = NULL;
	bool		literal;
	FieldFault	fault;

	if (spec->constant)
	{
		memcpy(room(enc, spec, spec->width), spec->constant_bytes,
			   spec->width);
		return;
	}
	value = one_value(enc, spec);
	if (value == NULL)
		refuse(spec, FAULT_INVALID, "has no value");
	literal = value == spec->default_value;
	if (spec->nmap > 0 && layout_map(spec, &value))
		literal = true;
	fault = layout_format(spec, value, literal, enc->out, &reason);
	if (fault != FAULT_NONE)
		refuse(spec, fault, reason);
	(void) room(enc, spec, 0);
}

/* What a computed field says of a field that has been written. */
static uint64
measured(const Encoder *enc, const FieldSpec *spec)
{
	const EncodeMark *mark = &enc->marks[spec->of->mark];

	return spec->compute == COMPUTE_COUNT ? mark->count : mark->len;
}

/* A computed field: now if what it is about is there, else later. */
static void
encode_computed(Encoder *enc, const FieldSpec *spec)
{
	Size		at = enc->out->len;

	(void) room(enc, spec, spec->width);
	enc->marks[spec->mark].start = at;
	if (spec->after)
		put_number(enc, spec, measured(enc, spec), at);
}

static void
encode_padding(Encoder *enc, const FieldSpec *spec)
{
	int			over = (enc->out->len - enc->body) % spec->block;
	int			len = over ? spec->block - over : 0;

	memset(room(enc, spec, len), spec->fill, len);
}

/* The next value of a slot from a place in the values on; NULL at the end. */
static const char *
next_value(const Encoder *enc, int slot, int *place)
{
	while (*place < enc->nvalues)
	{
		int			i = (*place)++;

		if (enc->slot_of[i] == slot)
			return enc->values[i].value;
	}
	return NULL;
}

static int
count_values(const Encoder *enc, int slot)
{
	int			n = 0;

	for (int i = 0; i < enc->nvalues; i++)
		if (enc->slot_of[i] == slot)
			n++;
	return n;
}

/* How often a group is repeated: as often as each of its sets has values. */
static int
count_elements(Encoder *enc, const FieldSpec *spec)
{
	int			count;

	if (spec->neach == 0)
		refuse(spec, FAULT_INVALID,
			   "has no \"each\" in the wire profile, so it can only be read");
	count = count_values(enc, spec->each[0]);
	for (int i = 1; i < spec->neach; i++)
		if (count_values(enc, spec->each[i]) != count)
			refuse(spec, FAULT_INVALID,
				   "is repeated for sets of different length");
	if (count > spec->max)
		refuse(spec, FAULT_TOO_LONG,
			   psprintf("is repeated at most %d times, not %d", spec->max,
						count));
	return count;
}

static void
encode_elements(Encoder *enc, const FieldSpec *spec, int count)
{
	int		   *places = palloc0(spec->neach * sizeof(int));
	const char **outer = palloc(spec->neach * sizeof(char *));

	for (int i = 0; i < spec->neach; i++)
		outer[i] = enc->current[spec->each[i]];
	for (int element = 0; element < count; element++)
	{
		for (int i = 0; i < spec->neach; i++)
			enc->current[spec->each[i]] = next_value(enc, spec->each[i],
													 &places[i]);
		encode_list(enc, &spec->list);
	}
	for (int i = 0; i < spec->neach; i++)
		enc->current[spec->each[i]] = outer[i];
}

static void
encode_group(Encoder *enc, const FieldSpec *spec)
{
	int			count = count_elements(enc, spec);

	if (spec->count)
	{
		Size		at = enc->out->len;

		(void) room(enc, spec, spec->count->width);
		put_number(enc, spec->count, count, at);
	}
	encode_elements(enc, spec, count);
	if (spec->mark >= 0)
		enc->marks[spec->mark].count = count;
}

static void
encode_item(Encoder *enc, const FieldSpec *tlv, const TlvItem *item)
{
	Size		at = enc->out->len;
	Size		start;

	(void) room(enc, tlv, tlv->tag->width + tlv->length->width);
	put_number(enc, tlv->tag, item->tag, at);
	start = enc->out->len;
	encode_scalar(enc, item->field);
	put_number(enc, tlv->length, enc->out->len - start,
			   at + tlv->tag->width);
}

/* One item for each value of its field. */
static void
encode_repeated_item(Encoder *enc, const FieldSpec *tlv, const TlvItem *item)
{
	int			slot = item->field->slot;
	const char *outer = enc->current[slot];
	const char *value;
	int			place = 0;

	while ((value = next_value(enc, slot, &place)) != NULL)
	{
		enc->current[slot] = value;
		encode_item(enc, tlv, item);
	}
	enc->current[slot] = outer;
}

/* The items that have a value, and in front, if wanted, their length. */
static void
encode_tlv(Encoder *enc, const FieldSpec *spec)
{
	Size		at = enc->out->len;
	Size		start;

	if (spec->total)
		(void) room(enc, spec, spec->total->width);
	start = enc->out->len;
	for (int i = 0; i < spec->nitems; i++)
	{
		const FieldSpec *field = spec->items[i].field;

		if (spec->items[i].repeat)
			encode_repeated_item(enc, spec, &spec->items[i]);
		else if (field->constant || one_value(enc, field))
			encode_item(enc, spec, &spec->items[i]);
	}
	if (spec->total)
		put_number(enc, spec->total, enc->out->len - start, at);
}

/* The value of a field that has been written, as it will be read. */
static const char *
value_as_read(Encoder *enc, const FieldSpec *spec)
{
	const EncodeMark *mark = &enc->marks[spec->mark];
	TextStore	store = {0};
	LayoutField field = {0};
	const char *reason = NULL;
	uint64		number;

	if (!layout_parse(spec, enc->out->data + mark->start, mark->len, &store,
					  &field, &number, &reason))
		refuse(spec, FAULT_INVALID, reason);
	return field.value;
}

/* NULL: there is none. */
static const SelectCase *
find_case(const FieldSpec *spec, const char *value)
{
	for (int i = 0; i < spec->ncases; i++)
	{
		const SelectCase *c = &spec->cases[i];

		if (c->value == NULL || strcmp(c->value, value) == 0)
			return c;
	}
	return NULL;
}

/*
 * The fields of the case that an earlier field chooses: the one that a reader
 * of the message will choose.
 */
static void
encode_select(Encoder *enc, const FieldSpec *spec)
{
	const FieldSpec *by = spec->by;
	const SelectCase *chosen = find_case(spec, value_as_read(enc, by));

	if (by->nmap > 0 && find_case(spec, one_value(enc, by)) != chosen)
		refuse(by, FAULT_INVALID,
			   "cannot say which fields follow, for its map makes the same of several values");
	if (chosen == NULL)
		refuse(by, FAULT_INVALID, "is none of the cases of its message");
	encode_list(enc, &chosen->list);
}

/* Fills in all lengths of the message, which will have so many bytes. */
static void
put_message_lengths(Encoder *enc, Size body)
{
	const LayoutFrame *frame = enc->layout->frame;
	const FieldList *list = &enc->layout->list;
	uint64		stated = layout_stated_length(frame, body);

	for (int i = 0; i < list->nfields; i++)
		if (list->fields[i]->compute == COMPUTE_MESSAGE)
			put_number(enc, list->fields[i], frame->has_length &&
					   !frame->outer ? stated : body,
					   enc->marks[list->fields[i]->mark].start);
	if (frame->outer)
		put_number(enc, &frame->length, stated, enc->frame);
	if (frame->digest_width > 0 && stated == 0 &&
		enc->layout->digest == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("message of %zu bytes lacks the digest of %d that its frame does not count",
						body, frame->digest_width)));
	if (!frame->has_length && body != frame->size)
		ereport(ERROR,
				(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				 errmsg("message has %zu bytes instead of " INT64_FORMAT,
						body, frame->size)));
}

/* Made last, when the lengths, which it covers, are known. */
static void
encode_digest(Encoder *enc, const FieldSpec *spec)
{
	const LayoutFrame *frame = enc->layout->frame;
	Size		len = enc->out->len - enc->body;
	const char *reason = NULL;
	int			width = layout_digest_width(spec, enc->digest, &reason);
	char	   *to;

	if (width < 0)
		refuse(spec, FAULT_INVALID, reason);
	if (frame->digest_width > 0 && width != frame->digest_width)
		refuse(spec, FAULT_INVALID,
			   psprintf("has %d bytes, and its frame counts on %d", width,
						frame->digest_width));
	to = room(enc, spec, width);
	put_message_lengths(enc, len + width);
	if (!layout_digest_make(spec, enc->digest, enc->out->data + enc->body,
							len, to, &reason))
		refuse(spec, FAULT_INVALID, reason);
}

/* Writes one field of any form. */
static void
encode_field(Encoder *enc, const FieldSpec *spec)
{
	if (spec->compute != COMPUTE_NOTHING)
	{
		encode_computed(enc, spec);
		return;
	}
	switch (spec->form)
	{
		case FORM_DIGEST:
			encode_digest(enc, spec);
			break;
		case FORM_PADDING:
			encode_padding(enc, spec);
			break;
		case FORM_GROUP:
			encode_group(enc, spec);
			break;
		case FORM_TLV:
			encode_tlv(enc, spec);
			break;
		case FORM_SELECT:
			encode_select(enc, spec);
			break;
		default:
			encode_scalar(enc, spec);
			break;
	}
}

/* Tells the computed fields that stand before this one. */
static void
finish_measured(Encoder *enc, const FieldSpec *spec, Size start)
{
	enc->marks[spec->mark].start = start;
	enc->marks[spec->mark].len = enc->out->len - start;
	for (int i = 0; i < spec->nmeasurers; i++)
	{
		const FieldSpec *other = spec->measurers[i];

		put_number(enc, other, measured(enc, other),
				   enc->marks[other->mark].start);
	}
}

static void
encode_list(Encoder *enc, const FieldList *list)
{
	for (int i = 0; i < list->nfields; i++)
	{
		const FieldSpec *spec = list->fields[i];
		Size		start = enc->out->len;

		if (++enc->steps > LAYOUT_MAX_STEPS)
			refuse(spec, FAULT_TOO_LONG, "is one field too many");
		encode_field(enc, spec);
		if (spec->mark >= 0 && spec->compute == COMPUTE_NOTHING)
			finish_measured(enc, spec, start);
	}
}

/* Finds the slot of each value, and the value of each slot. */
static void
take_values(Encoder *enc)
{
	for (int i = 0; i < enc->nvalues; i++)
	{
		int			slot = layout_slot(enc->layout, enc->values[i].name);

		enc->slot_of[i] = slot;
		if (slot >= 0)
			enc->current[slot] = enc->current[slot] ? several :
				enc->values[i].value;
	}
}

void
layout_encode(const Layout *layout, const LayoutDigest *digest,
			  const LayoutValue *values, int nvalues, StringInfo out)
{
	const LayoutFrame *frame = layout->frame;
	Encoder		enc = {0};
	Size		marks = layout->nmarks * sizeof(EncodeMark);
	Size		slots = layout->nslots * sizeof(char *);
	char	   *notes = palloc0(marks + slots + nvalues * sizeof(int16));

	enc.layout = layout;
	enc.digest = digest;
	enc.values = values;
	enc.nvalues = nvalues;
	enc.marks = (EncodeMark *) notes;
	enc.current = (const char **) (notes + marks);
	enc.slot_of = (int16 *) (notes + marks + slots);
	enc.out = out;
	enc.frame = out->len;
	enc.body = out->len + (frame->outer ? frame->length.width : 0);
	take_values(&enc);
	enlargeStringInfo(out, 256);
	out->len = enc.body;
	encode_list(&enc, &layout->list);
	if (layout->digest == NULL)
		put_message_lengths(&enc, out->len - enc.body);
	out->data[out->len] = '\0';
	pfree(notes);
}
