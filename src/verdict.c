/*-------------------------------------------------------------------------
 *
 * verdict.c
 *		What the end of an exchange means, as far as all systems share it.
 *
 * Which code means what is for the profile to say; the tables have the same
 * form for every system.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "verdict.h"
#include "wire_text.h"

static const char *const verdicts[] = {
	"done", "refused", "retry", "unknown", "unreachable", NULL
};

/* The last one blames the provider. */
static const CasVerdict verdict_values[] = {
	CAS_DONE, CAS_REFUSED, CAS_RETRY, CAS_UNKNOWN, CAS_RETRY
};

#define UNREACHABLE 4

/* ------------------------------------------------------------------------
 * Compiling
 * ------------------------------------------------------------------------
 */
CasVerdict
verdict_compile(const ProfileNode *node)
{
	int			choice = profile_choice(node, verdicts);

	if (choice == UNREACHABLE)
		profile_error(node, NULL, "is for codes alone");
	return verdict_values[choice];
}

/* "refused", or {"verdict": "retry", "max_attempts": 3, "text": "busy"}. */
static VerdictCode *
compile_code(const ProfileNode *node)
{
	static const char *const names[] = {
		"verdict", "max_attempts", "text", NULL
	};
	VerdictCode *code = palloc0(sizeof(VerdictCode));
	const ProfileNode *verdict = node;
	int			choice;

	code->code = node->name;
	if (profile_is_object(node))
	{
		profile_check_members(node, names);
		verdict = profile_require(node, "verdict");
		code->max_attempts = profile_integer_of(node, "max_attempts", 1, 1000,
												0);
		code->text = profile_string_of(node, "text", NULL);
	}
	choice = profile_choice(verdict, verdicts);
	code->verdict = verdict_values[choice];
	code->unreachable = choice == UNREACHABLE;
	if (code->max_attempts > 0 &&
		(code->verdict != CAS_RETRY || code->unreachable))
		profile_error(node, NULL,
					  "max_attempts is for the verdict \"retry\" alone");
	return code;
}

List *
verdict_compile_codes(const ProfileNode *table, CasVerdict others)
{
	VerdictCode *rest = palloc0(sizeof(VerdictCode));
	List	   *codes = NIL;
	ListCell   *lc;

	foreach(lc, profile_members(table))
		codes = lappend(codes, compile_code(lfirst(lc)));
	rest->code = "*";
	rest->verdict = others;
	return lappend(codes, rest);
}

/* ------------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------------
 */

/* The first "*" counts: behind the profile's own stands the one for others. */
const VerdictCode *
verdict_find(const List *codes, const char *code)
{
	const VerdictCode *any = NULL;
	ListCell   *lc;

	foreach(lc, codes)
	{
		const VerdictCode *entry = lfirst(lc);

		if (code && strcmp(entry->code, code) == 0)
			return entry;
		if (any == NULL && strcmp(entry->code, "*") == 0)
			any = entry;
	}
	Assert(any != NULL);
	return any;
}

bool
verdict_is_listed(const List *codes, const char *code)
{
	return strcmp(verdict_find(codes, code)->code, code) == 0;
}

void
verdict_settle(CasOutcome *outcome, const VerdictCode *code)
{
	outcome->verdict = code->verdict;
	outcome->unreachable = code->unreachable;
	outcome->max_attempts = code->max_attempts;
}

void
verdict_no_answer(CasOutcome *outcome, const CasReply *reply)
{
	bool		not_sent = reply->status == CAS_NOT_SENT;
	const char *failure = reply->failure ? reply->failure : "no reason given";

	outcome->verdict = not_sent ? CAS_RETRY : CAS_UNKNOWN;
	outcome->unreachable = not_sent;
	outcome->error_code = not_sent ? "PROVIDER_UNREACHABLE" : "NO_ANSWER";
	outcome->error_description =
		wire_text_from_utf8(failure, strlen(failure));
}

void
verdict_not_understood(CasOutcome *outcome, const char *why)
{
	outcome->verdict = CAS_UNKNOWN;
	outcome->error_code = "ANSWER_NOT_UNDERSTOOD";
	outcome->error_description =
		psprintf("the answer cannot be understood: %s", why);
}

const char *
verdict_limited(char *str, int limit)
{
	int			len = strlen(str);

	if (len > limit)
		str[pg_mbcliplen(str, len, limit)] = '\0';
	return len > 0 ? str : NULL;
}
