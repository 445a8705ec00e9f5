/*-------------------------------------------------------------------------
 *
 * adapter_framed.c
 *		Requests to framed messages.
 *
 * A message can only be finished when it leaves: its number, the link it
 * takes and the time stand in it, and a digest covers all of that.  So what
 * encode makes keeps its layout and its values, and is made again each time
 * that it is stamped.  Made before that it has the number 0, the first link
 * and the time for which the request is scheduled, always the same.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "adapter_framed.h"
#include "instant.h"
#include "utils/timestamp.h"
#include "wire_text.h"

/* What a CasMessage's detail is. */
typedef struct FramedDetail
{
	const Layout *layout;
	const LayoutValue *values;	/* of the request */
	int			nvalues;
	CasRendering rendering;
} FramedDetail;

/* ------------------------------------------------------------------------
 * Values
 * ------------------------------------------------------------------------
 */

/* Options of the server that layouts may take, secret ones not among them. */
static bool
is_value(const CasOption *option)
{
	return option->place == CAS_ON_SERVER &&
		(option->kind == CAS_OPTION_TEXT ||
		 option->kind == CAS_OPTION_INTEGER);
}

int
framed_stamp_room(const CasSettings *settings)
{
	int			n = 3;

	for (int i = 0; settings->options[i].name; i++)
		if (is_value(&settings->options[i]))
			n++;
	return n;
}

static int
add(LayoutValue *values, int n, const char *name, const char *value)
{
	values[n].name = name;
	values[n].value = value;
	return n + 1;
}

int
framed_add_stamp(const CasSettings *settings, const CasStamp *stamp,
				 LayoutValue *values, int nvalues)
{
	int			n = nvalues;

	n = add(values, n, "transaction",
			psprintf(UINT64_FORMAT, stamp->transaction));
	n = add(values, n, "link", stamp->link);
	n = add(values, n, "now", instant_to_seconds(stamp->time));
	for (int i = 0; settings->options[i].name; i++)
		if (is_value(&settings->options[i]) && settings->values[i])
			n = add(values, n, psprintf("option.%s",
										settings->options[i].name),
					settings->values[i]);
	return n;
}

static const char *
priority_name(const CasRequest *request)
{
	if (request->process_immediately)
		return "IMMEDIATE";
	return request->express ? "EXPRESS" : "REGULAR";
}

/*
 * What the request says, allocated: its values but those of the name "each"
 * (of which a message has one), and what else a layout may take.
 */
static LayoutValue *
request_values(const FramedOperation *operation, const CasRequest *request,
			   const CasValue *each, int *nvalues)
{
	LayoutValue *values = palloc(sizeof(LayoutValue) *
								 (list_length(request->values) +
								  list_length(operation->values) + 5));
	int			n = 0;
	ListCell   *lc;

	foreach(lc, request->values)
	{
		const CasValue *value = lfirst(lc);

		if (each == NULL || value == each ||
			strcmp(value->name, each->name) != 0)
			n = add(values, n, value->name, wire_text_to_utf8(value->value));
	}
	foreach(lc, operation->values)
		values[n++] = *(LayoutValue *) lfirst(lc);
	n = add(values, n, "number", psprintf(INT64_FORMAT, request->number));
	n = add(values, n, "id", request->id);
	n = add(values, n, "attempt", psprintf("%d", request->attempt));
	n = add(values, n, "priority", priority_name(request));
	n = add(values, n, "scheduled", instant_to_seconds(request->scheduled));
	*nvalues = n;
	return values;
}

/* ------------------------------------------------------------------------
 * Messages
 * ------------------------------------------------------------------------
 */

/*
 * Puts asterisks over what is secret in a message of ours; over all of it if
 * the profile makes what it cannot read.  No error: the message may have been
 * sent, and its outcome must be recorded.
 */
static void
mask(const CasSettings *settings, const FramedDetail *detail, char *data,
	 Size len)
{
	LayoutDigest digest = framed_digest(settings);
	List	   *fields = NIL;
	const char *failure = NULL;

	if (layout_decode(detail->layout, &digest, data, len, &fields, &failure))
		layout_mask(fields, data);
	else
		memset(data, '*', len);
}

void
framed_stamp(const CasSettings *settings, CasMessage *message,
			 const CasStamp *stamp)
{
	const FramedDetail *detail = message->detail;
	LayoutDigest digest = framed_digest(settings);
	LayoutValue *values = palloc(sizeof(LayoutValue) *
								 (detail->nvalues +
								  framed_stamp_room(settings)));
	StringInfoData out;
	int			n;

	memcpy(values, detail->values, sizeof(LayoutValue) * detail->nvalues);
	n = framed_add_stamp(settings, stamp, values, detail->nvalues);
	initStringInfo(&out);
	layout_encode(detail->layout, &digest, values, n, &out);
	if (detail->rendering == CAS_MASKED)
		mask(settings, detail, out.data, out.len);
	message->data = out.data;
	message->len = out.len;
	message->stamp = palloc(sizeof(CasStamp));
	*message->stamp = *stamp;
}

/* The message that has yet to be stamped. */
static CasMessage *
make_message(const CasSettings *settings, const FramedOperation *operation,
			 const CasRequest *request, const CasValue *each,
			 CasRendering rendering)
{
	CasMessage *message = palloc0(sizeof(CasMessage));
	FramedDetail *detail = palloc(sizeof(FramedDetail));
	CasStamp	stamp;

	framed_check_key(settings);
	detail->layout = operation->layout;
	detail->rendering = rendering;
	detail->values = request_values(operation, request, each,
									&detail->nvalues);
	message->detail = detail;
	if (each)
	{
		message->about = psprintf("%s=%s", each->name, each->value);
		message->label = operation->label ?
			psprintf("%s %s", operation->label, each->value) : each->value;
	}
	stamp.link = framed_link_names(settings)[0];
	stamp.transaction = 0;
	stamp.time = request->scheduled;
	framed_stamp(settings, message, &stamp);
	message->stamp = NULL;
	return message;
}

static const FramedOperation *
profile_operation(const CasSettings *settings, const CasOperation *operation)
{
	const FramedProfile *profile = settings->profile;

	return &profile->operations[operation - settings->adapter->operations];
}

/* The same for a request, raising when the profile cannot carry it. */
static const FramedOperation *
carried_operation(const CasSettings *settings, const CasOperation *operation)
{
	const FramedOperation *carried = profile_operation(settings, operation);

	if (carried->layout == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("provider \"%s\" does not carry requests of type %s",
						settings->server_name, operation->type),
				 errhint("Its wire profile has no such operation.")));
	return carried;
}

List *
framed_encode(const CasSettings *settings, const CasRequest *request,
			  CasRendering rendering)
{
	const FramedOperation *operation = carried_operation(settings,
														 request->operation);
	const CasValue *each = NULL;
	List	   *messages = NIL;

	if (operation->each)
		each = cas_value(request, operation->each);
	if (each == NULL)
		return list_make1(make_message(settings, operation, request, NULL,
									   rendering));
	for (; each; each = cas_value_next(request, each))
		messages = lappend(messages, make_message(settings, operation,
												  request, each, rendering));
	return messages;
}

/* Leading zeros, or digits that are cut off, make no other card. */
const char *
framed_identity(const CasSettings *settings, const CasOperation *operation,
				const char *name, const char *ca_id)
{
	const FramedOperation *carried = profile_operation(settings, operation);

	return carried->layout ?
		layout_canonical(carried->layout, name, ca_id) : ca_id;
}

bool
framed_idempotent(const CasSettings *settings, const CasOperation *operation)
{
	return profile_operation(settings, operation)->idempotent;
}

/* ------------------------------------------------------------------------
 * Messages for people
 * ------------------------------------------------------------------------
 */
char *
framed_text(const CasSettings *settings, const CasMessage *message)
{
	return framed_bytes_text(settings, message->data, message->len);
}

char *
framed_explain(const CasSettings *settings, const CasMessage *message,
			   bool secrets)
{
	const FramedDetail *detail = message->detail;
	LayoutDigest digest = framed_digest(settings);
	List	   *fields = NIL;
	const char *failure = NULL;

	if (!layout_decode(detail->layout, &digest, message->data, message->len,
					   &fields, &failure))
		return psprintf("the wire profile cannot read what it makes: %s",
						failure ? failure : "no reason");
	return layout_explain(fields, secrets);
}

/* ------------------------------------------------------------------------
 * Validation
 * ------------------------------------------------------------------------
 */

/* Makes the messages, which raises whatever there is to say against them. */
void
framed_validate(const CasSettings *settings, const CasRequest *request)
{
	const FramedProfile *profile = settings->profile;
	const FramedOperation *operation = carried_operation(settings,
														 request->operation);
	List	   *messages;

	pin_check(&profile->pin, request);
	messages = framed_encode(settings, request, CAS_WIRE);
	if (list_length(messages) > profile->max_set)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a request has %d values of \"%s\", more than %d",
						list_length(messages), operation->each,
						profile->max_set),
				 errhint("Make several requests of it.")));
}

/* Raises an error when a host name is not one. */
static void
check_host(const char *host)
{
	int			len = strlen(host);

	if (len > 0 && len <= 255 && host[0] != '-' &&
		strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			   "0123456789.-_:%") == len)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("option \"host\" is not a host name or address"),
			 errhint("Give a name such as cas.example.com, or an address without brackets; the port has an option of its own.")));
}

void
framed_check_options(const CasSettings *settings, CasOptionPlace place)
{
	if (place == CAS_ON_SERVER)
		check_host(cas_option(settings, "host"));
}
