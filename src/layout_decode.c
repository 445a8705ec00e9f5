/*-------------------------------------------------------------------------
 *
 * layout_decode.c
 *		From a whole frame to its fields.
 *
 * What comes from outside is believed in nothing: each step first asks
 * whether the bytes are there ("limit" is where they end, be it the message,
 * its digest or an item of TLV), and what claims to be repeated pays for
 * each turn from a budget.  Nothing raises but lack of memory.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "layout_private.h"

#define FIELDS_AT_ONCE 16

/* Notes about a field that others refer to: see FieldSpec. */
typedef struct DecodeMark
{
	Size		len;
	uint64		count;
	uint64		number;			/* that it holds */
	const char *value;
} DecodeMark;

typedef struct Decoder
{
	const Layout *layout;
	const LayoutDigest *digest;
	const char *data;			/* the frame */
	Size		body;			/* where the message begins */
	Size		pos;
	Size		end;			/* of the frame */
	int			digest_width;
	DecodeMark *marks;
	const char *prefix;			/* of names: "products[1]." */
	List	   *fields;
	LayoutField *free_fields;
	int			nfree;
	TextStore	store;
	bool		secrets;		/* saw a secret field */
	int			steps;
	const char *failure;
} Decoder;

static bool decode_list(Decoder *dec, const FieldList *list, Size limit);

/* Returns false, for the caller to return. */
static bool
fail(Decoder *dec, const FieldSpec *spec, const char *reason)
{
	dec->failure = psprintf("field \"%s%s\" at byte %zu %s", dec->prefix,
							layout_label(spec), dec->pos, reason);
	return false;
}

static bool
has_bytes(Decoder *dec, const FieldSpec *spec, uint64 len, Size limit)
{
	if (len <= limit - dec->pos)
		return true;
	return fail(dec, spec, "is cut off");
}

/* The prefix alone, less its dot, for what has no name. */
static const char *
full_name(const char *prefix, const char *name)
{
	return name[0] == '\0' ? pnstrdup(prefix, strlen(prefix) - 1) :
		psprintf("%s%s", prefix, name);
}

/* A new field that begins here, as long as given. */
static LayoutField *
add_field(Decoder *dec, const FieldSpec *spec, Size len)
{
	LayoutField *field;

	if (dec->nfree == 0)
	{
		dec->free_fields = palloc0(sizeof(LayoutField) * FIELDS_AT_ONCE);
		dec->nfree = FIELDS_AT_ONCE;
	}
	field = dec->free_fields++;
	dec->nfree--;
	field->name = spec->name;
	if (dec->prefix[0] != '\0')
		field->name = full_name(dec->prefix, spec->name);
	field->offset = dec->pos;
	field->len = len;
	field->display = spec->secret ? LAYOUT_SECRET : LAYOUT_SHOWN;
	dec->secrets |= spec->secret;
	dec->fields = lappend(dec->fields, field);
	return field;
}

/* How many bytes a field has; false if that many are not there. */
static bool
scalar_width(Decoder *dec, const FieldSpec *spec, Size limit, Size *len)
{
	uint64		width = spec->width;

	if (spec->width_kind == WIDTH_REST)
		width = limit - dec->pos;
	else if (spec->width_kind == WIDTH_FIELD)
		width = dec->marks[spec->width_field->mark].number;
	*len = width;
	return has_bytes(dec, spec, width, limit);
}

/* A field that holds one value, no further than limit. */
static bool
decode_scalar(Decoder *dec, const FieldSpec *spec, Size limit)
{
	LayoutField *field;
	const char *reason = NULL;
	uint64		number = 0;
	Size		len;

	if (!scalar_width(dec, spec, limit, &len))
		return false;
	field = add_field(dec, spec, len);
	if (!layout_parse(spec, dec->data + dec->pos, len, &dec->store, field,
					  &number, &reason))
		return fail(dec, spec, reason);
	if (spec->mark >= 0)
	{
		dec->marks[spec->mark].number = number;
		dec->marks[spec->mark].value = field->value;
	}
	dec->pos += len;
	return true;
}

/* Does a computed field say of another one what that one is? */
static bool
check_measured(Decoder *dec, const FieldSpec *spec)
{
	const DecodeMark *mark = &dec->marks[spec->of->mark];
	uint64		right = spec->compute == COMPUTE_COUNT ? mark->count :
	mark->len;

	if (dec->marks[spec->mark].number == right)
		return true;
	return fail(dec, spec, "does not say what its message holds");
}

static bool
check_message_length(Decoder *dec, const FieldSpec *spec)
{
	const LayoutFrame *frame = dec->layout->frame;
	Size		body = dec->end - dec->body;
	uint64		right = frame->has_length && !frame->outer ?
	layout_stated_length(frame, body) : body;

	if (dec->marks[spec->mark].number == right)
		return true;
	return fail(dec, spec, "does not say how long the message is");
}

static bool
decode_computed(Decoder *dec, const FieldSpec *spec, Size limit)
{
	if (!decode_scalar(dec, spec, limit))
		return false;
	if (spec->compute == COMPUTE_MESSAGE)
		return check_message_length(dec, spec);
	return !spec->after || check_measured(dec, spec);
}

/* Compares with the digest made of what was read. */
static bool
decode_digest(Decoder *dec, const FieldSpec *spec)
{
	char		made[LAYOUT_MAX_DIGEST * 2];
	const char *found = dec->data + dec->pos;
	int			width = dec->digest_width;
	const char *reason = NULL;
	LayoutField *field;

	if (!has_bytes(dec, spec, width, dec->end))
		return false;
	if (width == 0)
		return true;
	if (!layout_digest_make(spec, dec->digest, dec->data + dec->body,
							dec->pos - dec->body, made, &reason))
		return fail(dec, spec, reason);
	if (!layout_digest_equal(spec, made, found, width))
		return fail(dec, spec, "is not the digest of the message");
	field = add_field(dec, spec, width);
	if (dec->secrets)
		field->display = LAYOUT_SECRET;
	field->raw = field->value = field->shown = spec->as_hex ?
		pnstrdup(found, width) : layout_hex(&dec->store, found, width);
	dec->pos += width;
	return true;
}

static bool
decode_padding(Decoder *dec, const FieldSpec *spec, Size limit)
{
	int			over = (dec->pos - dec->body) % spec->block;
	int			len = over ? spec->block - over : 0;
	LayoutField *field;

	if (!has_bytes(dec, spec, len, limit))
		return false;
	for (int i = 0; i < len; i++)
		if (dec->data[dec->pos + i] != spec->fill)
			return fail(dec, spec, "is not made of its filling");
	field = add_field(dec, spec, len);
	field->raw = field->value = field->shown =
		layout_hex(&dec->store, dec->data + dec->pos, len);
	dec->pos += len;
	return true;
}

/* A number that belongs to a group or to TLV. */
static bool
decode_number(Decoder *dec, const FieldSpec *spec, Size limit,
			  uint64 *number)
{
	if (!has_bytes(dec, spec, spec->width, limit))
		return false;
	if (!layout_get_number(spec, dec->data + dec->pos, number))
		return fail(dec, spec, "is no number");
	dec->pos += spec->width;
	return true;
}

/* How many elements follow; a count of its own is a field, too. */
static bool
decode_count(Decoder *dec, const FieldSpec *spec, Size limit, uint64 *count)
{
	if (spec->count_field)
		*count = dec->marks[spec->count_field->mark].number;
	else
	{
		Size		start = dec->pos;
		LayoutField *field;
		char	   *digits;

		if (!decode_number(dec, spec->count, limit, count))
			return false;
		dec->pos = start;
		field = add_field(dec, spec->count, spec->count->width);
		digits = layout_store(&dec->store, 21);
		layout_digits(*count, digits);
		field->value = field->shown = digits;
		field->raw = spec->count->form == FORM_UINT ?
			layout_hex(&dec->store, dec->data + start, field->len) :
			pnstrdup(dec->data + start, field->len);
		dec->pos += field->len;
	}
	if (*count > spec->max)
		return fail(dec, spec, "has too many elements");
	return true;
}

/* Elements one after the other; each lengthens the names of its fields. */
static bool
decode_group(Decoder *dec, const FieldSpec *spec, Size limit)
{
	const char *outer = dec->prefix;
	uint64		count;

	if (!decode_count(dec, spec, limit, &count))
		return false;
	for (uint64 i = 1; i <= count; i++)
	{
		if (++dec->steps > LAYOUT_MAX_STEPS)
			return fail(dec, spec, "has too many elements");
		dec->prefix = psprintf("%s%s[%d].", outer, spec->name, (int) i);
		if (!decode_list(dec, &spec->list, limit))
			return false;
	}
	dec->prefix = outer;
	if (spec->mark >= 0)
		dec->marks[spec->mark].count = count;
	return true;
}

static int
find_item(const FieldSpec *tlv, uint64 tag)
{
	for (int i = 0; i < tlv->nitems; i++)
		if (tlv->items[i].tag == tag)
			return i;
	return -1;
}

/* The field of an item, which has to fill it. */
static bool
decode_item(Decoder *dec, const FieldSpec *tlv, int item, int occurrence,
			Size limit)
{
	const char *outer = dec->prefix;

	if (occurrence > 1 && !tlv->items[item].repeat)
		return fail(dec, tlv, "holds an item twice");
	dec->prefix = tlv->items[item].repeat ?
		psprintf("%s%s[%d].", outer, tlv->name, occurrence) :
		psprintf("%s%s.", outer, tlv->name);
	if (!decode_scalar(dec, tlv->items[item].field, limit))
		return false;
	if (dec->pos != limit)
		return fail(dec, tlv->items[item].field,
					"ends before the item that it stands in");
	dec->prefix = outer;
	return true;
}

/* Items up to limit, which the last one has to reach exactly. */
static bool
decode_items(Decoder *dec, const FieldSpec *spec, Size limit)
{
	int		   *occurrences = palloc0(sizeof(int) * (spec->nitems + 1));

	while (dec->pos < limit)
	{
		uint64		tag;
		uint64		len;
		int			item;

		if (++dec->steps > LAYOUT_MAX_STEPS)
			return fail(dec, spec, "has too many items");
		if (!decode_number(dec, spec->tag, limit, &tag) ||
			!decode_number(dec, spec->length, limit, &len) ||
			!has_bytes(dec, spec, len, limit))
			return false;
		item = find_item(spec, tag);
		if (item < 0 && !spec->skip_unknown)
			return fail(dec, spec, "holds an item of unknown tag");
		if (item < 0)
			dec->pos += len;
		else if (!decode_item(dec, spec, item, ++occurrences[item],
							  dec->pos + len))
			return false;
	}
	pfree(occurrences);
	return true;
}

static bool
decode_tlv(Decoder *dec, const FieldSpec *spec, Size limit)
{
	uint64		total;

	if (spec->total == NULL)
		return decode_items(dec, spec, limit);
	if (!decode_number(dec, spec->total, limit, &total) ||
		!has_bytes(dec, spec, total, limit))
		return false;
	return decode_items(dec, spec, dec->pos + total);
}

static bool
decode_select(Decoder *dec, const FieldSpec *spec, Size limit)
{
	const char *value = dec->marks[spec->by->mark].value;

	for (int i = 0; i < spec->ncases; i++)
	{
		const SelectCase *c = &spec->cases[i];

		if (c->value == NULL || strcmp(c->value, value) == 0)
			return decode_list(dec, &c->list, limit);
	}
	return fail(dec, spec->by, "is none of the cases of its message");
}

/* Reads one field of any form, within limit. */
static bool
decode_field(Decoder *dec, const FieldSpec *spec, Size limit)
{
	if (spec->compute != COMPUTE_NOTHING)
		return decode_computed(dec, spec, limit);
	switch (spec->form)
	{
		case FORM_DIGEST:
			return decode_digest(dec, spec);
		case FORM_PADDING:
			return decode_padding(dec, spec, limit);
		case FORM_GROUP:
			return decode_group(dec, spec, limit);
		case FORM_TLV:
			return decode_tlv(dec, spec, limit);
		case FORM_SELECT:
			return decode_select(dec, spec, limit);
		default:
			return decode_scalar(dec, spec, limit);
	}
}

/* Asks the computed fields that stand before this one. */
static bool
finish_measured(Decoder *dec, const FieldSpec *spec, Size start)
{
	dec->marks[spec->mark].len = dec->pos - start;
	for (int i = 0; i < spec->nmeasurers; i++)
		if (!check_measured(dec, spec->measurers[i]))
			return false;
	return true;
}

static bool
decode_list(Decoder *dec, const FieldList *list, Size limit)
{
	for (int i = 0; i < list->nfields; i++)
	{
		const FieldSpec *spec = list->fields[i];
		Size		start = dec->pos;

		if (++dec->steps > LAYOUT_MAX_STEPS)
			return fail(dec, spec, "is one field too many");
		if (!decode_field(dec, spec, limit))
			return false;
		if (spec->mark >= 0 && spec->compute == COMPUTE_NOTHING &&
			!finish_measured(dec, spec, start))
			return false;
	}
	return true;
}

/* Is the frame as long as it says, and is there room for the digest? */
static bool
check_frame(Decoder *dec)
{
	const Layout *layout = dec->layout;
	int64		len = layout_frame_length(layout->frame, dec->data, dec->end,
										  &dec->failure);
	const char *reason = NULL;

	if (len < 0)
		return false;
	if (len == 0 || len != dec->end)
	{
		dec->failure = len == 0 ? "the frame ends before its length is told" :
			psprintf("the frame has %zu bytes instead of " INT64_FORMAT,
					 dec->end, len);
		return false;
	}
	if (layout->digest == NULL)
		return true;
	dec->digest_width = layout_digest_width(layout->digest, dec->digest,
											&reason);
	if (dec->digest_width < 0)
		return fail(dec, layout->digest, reason);
	return has_bytes(dec, layout->digest, dec->digest_width, dec->end);
}

static bool
decode_frame(Decoder *dec)
{
	const LayoutFrame *frame = dec->layout->frame;

	if (!check_frame(dec))
		return false;
	dec->body = dec->pos = frame->outer ? frame->length.width : 0;
	if (dec->end - dec->body < dec->digest_width)
		return fail(dec, dec->layout->digest, "is cut off");
	if (!decode_list(dec, &dec->layout->list, dec->end - dec->digest_width))
		return false;
	if (dec->pos != dec->end)
		dec->failure = psprintf("%zu bytes are left over at byte %zu",
								dec->end - dec->pos, dec->pos);
	return dec->pos == dec->end;
}

bool
layout_decode(const Layout *layout, const LayoutDigest *digest,
			  const char *data, Size len, List **fields,
			  const char **failure)
{
	Decoder		dec = {0};

	*fields = NIL;
	if (len > layout->frame->max)
	{
		*failure = "the frame is too long";
		return false;
	}
	dec.layout = layout;
	dec.digest = digest;
	dec.data = data;
	dec.end = len;
	dec.prefix = "";
	dec.marks = palloc0(sizeof(DecodeMark) * (layout->nmarks + 1));
	dec.store.left = len * 3 + 256;
	dec.store.next = palloc(dec.store.left);
	if (!decode_frame(&dec))
	{
		*failure = dec.failure;
		return false;
	}
	*fields = dec.fields;
	return true;
}
