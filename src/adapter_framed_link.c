/*-------------------------------------------------------------------------
 *
 * adapter_framed_link.c
 *		What the transport of framed messages is told about them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "adapter_framed.h"
#include "utils/timestamp.h"

static CasLinkRules *link_rules(const CasSettings *settings);
static int64 link_frame_length(const CasSettings *settings,
							   const char *data, Size len,
							   const char **failure);
static bool link_hello(const CasSettings *settings, int step,
					   const CasStamp *stamp, StringInfo out);
static bool link_hello_answer(const CasSettings *settings, int step,
							  const char *data, Size len,
							  const char **failure);
static void link_check(const CasSettings *settings, const CasStamp *stamp,
					   StringInfo out);
static bool link_check_answer(const CasSettings *settings, const char *data,
							  Size len, const char **failure);
static CasFrameKind link_read(const CasSettings *settings, const char *data,
							  Size len, uint64 *transaction,
							  const char **failure);

const CasDialect framed_dialect = {
	.rules = link_rules,
	.frame_length = link_frame_length,
	.hello = link_hello,
	.hello_answer = link_hello_answer,
	.check = link_check,
	.check_answer = link_check_answer,
	.read = link_read,
	.stamp = framed_stamp
};

/* ------------------------------------------------------------------------
 * Rules
 * ------------------------------------------------------------------------
 */

/* An option that not every kind has, as a number. */
static int64
number_option(const CasSettings *settings, const char *name, int64 otherwise)
{
	return framed_option(settings, name) ? cas_option_int(settings, name) :
		otherwise;
}

const char **
framed_link_names(const CasSettings *settings)
{
	const char *ids = framed_option(settings, "source_id");
	int			connections = number_option(settings, "connections", 1);
	int			room = ids ? strlen(ids) : connections;
	const char **names = palloc0(sizeof(char *) * (room + 1));
	char	   *save = NULL;
	int			n = 0;

	if (ids)
		for (char *id = strtok_r(pstrdup(ids), ", ", &save); id;
			 id = strtok_r(NULL, ", ", &save))
			names[n++] = id;
	else
		while (n < connections)
		{
			names[n] = psprintf("%d", n + 1);
			n++;
		}
	return names;
}

void
framed_check_key(const CasSettings *settings)
{
	LayoutDigest digest = framed_digest(settings);

	if (strcmp(digest.algorithm, "none") != 0 && digest.key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
				 errmsg("provider \"%s\" has digest \"%s\" and no key",
						settings->server_name, digest.algorithm),
				 errhint("Set option key in the user mapping of provreq_worker.")));
}

/* Raises an error when a message of a request cannot name the link. */
static void
check_link_name(const CasSettings *settings, const char *name)
{
	const FramedProfile *profile = settings->profile;
	const CasOperation *operations = settings->adapter->operations;
	const char *reason = NULL;

	for (int i = 0; operations[i].name; i++)
		if (profile->operations[i].layout &&
			!layout_fits(profile->operations[i].layout, "link", name,
						 &reason))
			ereport(ERROR,
					(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
					 errmsg("provider \"%s\" has a link \"%s\" that messages of type %s cannot name",
							settings->server_name, name, operations[i].type),
					 errdetail("Its field %s.", reason),
					 errhint("Compare the wire profile with the provider's links.")));
}

/*
 * All that is sent without a request is made once for each link: what cannot
 * be made is a fault of the settings, and must not turn up on a link.
 */
static void
try_messages(const CasSettings *settings, const CasLinkRules *rules)
{
	for (int i = 0; rules->links[i]; i++)
	{
		CasStamp	stamp = {rules->links[i], rules->last_number,
		GetCurrentTimestamp()};
		StringInfoData out;

		check_link_name(settings, rules->links[i]);
		initStringInfo(&out);
		for (int step = 0; step < rules->hello_steps; step++)
			(void) link_hello(settings, step, &stamp, &out);
		if (((const FramedProfile *) settings->profile)->check)
			link_check(settings, &stamp, &out);
	}
}

/* The rules of a provider's links; raises what is wrong with its settings. */
static CasLinkRules *
link_rules(const CasSettings *settings)
{
	const FramedProfile *profile = settings->profile;
	CasLinkRules *rules = palloc0(sizeof(CasLinkRules));

	framed_check_key(settings);
	rules->links = framed_link_names(settings);
	rules->window = number_option(settings, "window", 1);
	rules->by_order = profile->by_order;
	rules->per_connection = profile->per_connection;
	rules->first_number = profile->first_number;
	rules->last_number = profile->last_number;
	rules->max_frame = layout_frame_max(profile->frame);
	rules->hello_steps = list_length(profile->hello);
	if (profile->check)
	{
		rules->checks_at_start = number_option(settings, "checks_at_start", 0);
		rules->heartbeat = number_option(settings, "heartbeat", 0);
	}
	rules->host = cas_option(settings, "host");
	rules->port = cas_option_int(settings, "port");
	rules->tls = cas_option_bool(settings, "tls");
	rules->ca_file = cas_option(settings, "ca_file");
	rules->timeout = cas_option_int(settings, "timeout");
	rules->connect_timeout = cas_option_int(settings, "connect_timeout");
	try_messages(settings, rules);
	return rules;
}

static int64
link_frame_length(const CasSettings *settings, const char *data, Size len,
				  const char **failure)
{
	const FramedProfile *profile = settings->profile;

	return layout_frame_length(profile->frame, data, len, failure);
}

/* ------------------------------------------------------------------------
 * Hello and checks
 * ------------------------------------------------------------------------
 */

/* Appends a message that is not made of a request. */
static void
append_message(const CasSettings *settings, const Layout *layout,
			   const List *constants, const CasStamp *stamp, StringInfo out)
{
	LayoutDigest digest = framed_digest(settings);
	LayoutValue *values = palloc(sizeof(LayoutValue) *
								 (framed_stamp_room(settings) +
								  list_length(constants)));
	int			n = framed_add_stamp(settings, stamp, values, 0);
	ListCell   *lc;

	foreach(lc, constants)
		values[n++] = *(LayoutValue *) lfirst(lc);
	layout_encode(layout, &digest, values, n, out);
}

static bool
link_hello(const CasSettings *settings, int step, const CasStamp *stamp,
		   StringInfo out)
{
	const FramedProfile *profile = settings->profile;
	const FramedStep *now = list_nth(profile->hello, step);

	if (now->send)
		append_message(settings, now->send, now->values, stamp, out);
	return now->receive != NULL;
}

/* Does a frame answer this step of the hello?  If not, *failure says why. */
static bool
link_hello_answer(const CasSettings *settings, int step, const char *data,
				  Size len, const char **failure)
{
	const FramedProfile *profile = settings->profile;
	const FramedStep *now = list_nth(profile->hello, step);
	LayoutDigest digest = framed_digest(settings);
	List	   *fields = NIL;
	const char *value;

	if (!layout_decode(now->receive, &digest, data, len, &fields, failure))
		return false;
	if (now->code == NULL)
		return true;
	value = layout_value(fields, now->code);
	if (value && strcmp(value, now->accepted) == 0)
		return true;
	*failure = psprintf("%s %s instead of %s", now->what,
						value ? value : "missing", now->accepted);
	return false;
}

static void
link_check(const CasSettings *settings, const CasStamp *stamp, StringInfo out)
{
	const FramedProfile *profile = settings->profile;

	append_message(settings, profile->check, profile->check_values, stamp,
				   out);
}

static bool
link_check_answer(const CasSettings *settings, const char *data, Size len,
				  const char **failure)
{
	CasReply	reply = {.status = CAS_ANSWERED,.data = data,.len = len};
	CasOutcome	outcome;

	framed_decode(settings, settings->adapter->operations, &reply, &outcome);
	if (outcome.verdict == CAS_DONE)
		return true;
	*failure = psprintf("%s: %s", outcome.error_code ? outcome.error_code :
						"refused", outcome.error_description ?
						outcome.error_description : "no reason given");
	return false;
}

/* Whose answer a whole frame is; if nobody's, *failure may say why. */
static CasFrameKind
link_read(const CasSettings *settings, const char *data, Size len,
		  uint64 *transaction, const char **failure)
{
	List	   *fields = NIL;
	const FramedAnswer *answer = framed_recognise(settings, data, len,
												  &fields, failure);
	const char *number;

	if (answer == NULL)
		return CAS_FRAME_BAD;
	if (!answer->is_answer)
		return CAS_FRAME_OTHER;
	number = layout_value(fields, answer->transaction);
	if (number == NULL || number[0] == '\0' ||
		number[strspn(number, "0123456789")] != '\0')
	{
		*failure = "an answer without the number of a message";
		return CAS_FRAME_BAD;
	}
	*transaction = strtou64(number, NULL, 10);
	return CAS_FRAME_ANSWER;
}
