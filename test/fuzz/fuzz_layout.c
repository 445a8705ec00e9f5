/*-------------------------------------------------------------------------
 *
 * fuzz_layout.c
 *		Frames read, and written again, by fixed layouts of every form.
 *
 * The first byte of the input says by which layout of layouts.json, or
 * whether as an answer by one of the default profiles.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fuzz.h"
#include "layout.h"

#define MAX_LAYOUTS 32

static const LayoutDigest digest = {"hmac-md5", "", 0};
static const LayoutFrame *frames[MAX_LAYOUTS];
static const Layout *layouts[MAX_LAYOUTS];
static int	nlayouts;
static CasSettings *settings[2];

void
fuzz_prepare(void)
{
	const ProfileNode *root = profile_root(fuzz_document("test/fuzz/layouts.json"));
	ListCell   *lc;

	foreach(lc, profile_elements(profile_require(root, "layouts")))
	{
		const ProfileNode *node = lfirst(lc);
		LayoutFrame *frame = layout_compile_frame(profile_require(node,
																  "frame"));

		frames[nlayouts] = frame;
		layouts[nlayouts++] = layout_compile(profile_require(node, "fields"),
											 profile_member(node, "groups"),
											 frame);
	}
	settings[0] = fuzz_settings(&nagravision_adapter,
								"profiles/nagra_smsgw.json");
	settings[1] = fuzz_settings(&nds_adapter, "profiles/nds_ascii.json");
	fuzz_set(settings[1], "digest", "hmac-md5");
	fuzz_set(settings[1], "key", "k");
}

/* What every caller may rely on. */
static void
check_fields(const List *fields, Size len)
{
	Size		end = 0;
	ListCell   *lc;

	foreach(lc, fields)
	{
		const LayoutField *field = lfirst(lc);

		FUZZ_HOLDS(field->name && field->value && field->raw && field->shown);
		FUZZ_HOLDS(field->offset >= end && field->len <= len &&
				   field->offset <= len - field->len);
		FUZZ_HOLDS(layout_value(fields, field->name) != NULL);
		end = field->offset + field->len;
	}
}

/*
 * The values that were read make a frame that can be read, or an error: one
 * value may stand where the layout takes another.
 */
static void
write_again(const Layout *layout, const List *fields)
{
	LayoutValue *values = palloc(sizeof(LayoutValue) *
								 (list_length(fields) + 1));
	StringInfoData out;
	List	   *again;
	const char *failure = NULL;
	int			n = 0;
	ListCell   *lc;

	foreach(lc, fields)
	{
		const LayoutField *field = lfirst(lc);
		const char *dot = strrchr(field->name, '.');

		values[n].name = dot ? dot + 1 : field->name;
		values[n++].value = field->value;
	}
	initStringInfo(&out);
	layout_encode(layout, &digest, values, n, &out);
	FUZZ_HOLDS(layout_decode(layout, &digest, out.data, out.len, &again,
							 &failure));
}

static void
read_frame(const LayoutFrame *frame, const Layout *layout, const char *data,
		   Size len)
{
	const char *failure = NULL;
	List	   *fields;
	Size		body_len;
	const char *body = layout_frame_body(frame, data, len, &body_len);
	int64		length = layout_frame_length(frame, data, len, &failure);
	char	   *copy;

	FUZZ_HOLDS(body + body_len == data + len);
	FUZZ_HOLDS(length >= 0 || failure);
	failure = NULL;
	if (!layout_decode(layout, &digest, data, len, &fields, &failure))
	{
		FUZZ_HOLDS(failure && fields == NIL);
		return;
	}
	FUZZ_HOLDS(length == len);
	check_fields(fields, len);
	FUZZ_HOLDS(layout_explain(fields, false) && layout_explain(fields, true));
	copy = memcpy(palloc(Max(len, 1)), data, len);
	layout_mask(fields, copy);
	write_again(layout, fields);
}

static void
read_answer(const CasSettings *provider, const char *data, Size len)
{
	const CasAdapter *adapter = provider->adapter;
	CasReply	reply = {.status = CAS_ANSWERED,.data = data,.len = len};
	CasOutcome	outcome;

	adapter->decode(provider, adapter->operations, &reply, &outcome);
	FUZZ_HOLDS(outcome.verdict != CAS_DONE || outcome.response);
	FUZZ_HOLDS(adapter->explain_answer(provider, data, len, false));
}

void
fuzz_try(const char *data, Size len)
{
	int			choice;

	if (len == 0)
		return;
	choice = (unsigned char) data[0] % (nlayouts + lengthof(settings));
	if (choice < nlayouts)
		read_frame(frames[choice], layouts[choice], data + 1, len - 1);
	else
		read_answer(settings[choice - nlayouts], data + 1, len - 1);
}
