/*-------------------------------------------------------------------------
 *
 * adapter_framed_answer.c
 *		What comes from a system with framed messages, and what it means.
 *
 * A frame is trusted when one of the profile's answers fits it to the last
 * byte, lengths and digest among it.  Everything else is a protocol error:
 * the link goes, and what was on it is in doubt.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "adapter_framed.h"
#include "verdict.h"
#include "wire_text.h"

const char *
framed_option(const CasSettings *settings, const char *name)
{
	for (int i = 0; settings->options[i].name; i++)
		if (strcmp(settings->options[i].name, name) == 0)
			return settings->values[i];
	return NULL;
}

LayoutDigest
framed_digest(const CasSettings *settings)
{
	LayoutDigest digest = {0};

	digest.algorithm = framed_option(settings, "digest");
	if (digest.algorithm == NULL)
		digest.algorithm = "none";
	digest.key = framed_option(settings, "key");
	if (digest.key)
		digest.key_len = strlen(digest.key);
	return digest;
}

const FramedAnswer *
framed_recognise(const CasSettings *settings, const char *data, Size len,
				 List **fields, const char **failure)
{
	const FramedProfile *profile = settings->profile;
	LayoutDigest digest = framed_digest(settings);
	StringInfoData why;
	ListCell   *lc;

	initStringInfo(&why);
	foreach(lc, profile->answers)
	{
		const FramedAnswer *answer = lfirst(lc);

		*fields = NIL;
		*failure = NULL;
		if (layout_decode(answer->layout, &digest, data, len, fields,
						  failure))
			return answer;
		appendStringInfo(&why, "%snot \"%s\": %s", why.len ? "; " : "",
						 answer->name, *failure ? *failure : "no reason");
	}
	*failure = why.data;
	return NULL;
}

char *
framed_bytes_text(const CasSettings *settings, const char *data, Size len)
{
	const FramedProfile *profile = settings->profile;
	const char *body = data;
	Size		body_len = len;
	StringInfoData hex;

	if (len == 0)
		return pstrdup("");
	if (layout_frame_length(profile->frame, data, len, &body) == len)
		body = layout_frame_body(profile->frame, data, len, &body_len);
	else
		body = data;
	if (wire_text_is_plain(body, body_len))
		return pnstrdup(body, body_len);
	initStringInfo(&hex);
	for (Size i = 0; i < len; i++)
		appendStringInfo(&hex, "%02x", (unsigned char) data[i]);
	return hex.data;
}

/* ------------------------------------------------------------------------
 * Verdicts
 * ------------------------------------------------------------------------
 */

/* A copy for the table, of at most limit bytes; NULL if there is nothing. */
static const char *
limited(const char *str, int limit)
{
	return str ? verdict_limited(wire_text_from_utf8(str, strlen(str)),
								 limit) : NULL;
}

static void
complain(CasOutcome *outcome, const VerdictCode *meaning, const char *code,
		 const char *said)
{
	const char *words = limited(said, DESCRIPTION_LIMIT);

	outcome->error_code = outcome->provider_error_code =
		limited(code, CODE_LIMIT);
	outcome->provider_error_description = words;
	if (words == NULL && meaning)
		words = meaning->text;
	outcome->error_description = words ? words : "refused without a reason";
	if (outcome->error_code == NULL)
		outcome->error_code = "REFUSED";
}

/* What an answer says of the request: its verdict, and the words for it. */
static void
decode_answer(const FramedAnswer *answer, const List *fields,
			  CasOutcome *outcome)
{
	const char *code = answer->code ? layout_value(fields, answer->code) :
	NULL;
	const char *said = answer->text ? layout_value(fields, answer->text) :
	NULL;
	const VerdictCode *meaning = NULL;

	outcome->verdict = answer->verdict;
	if (answer->codes)
	{
		meaning = verdict_find(answer->codes, code);
		verdict_settle(outcome, meaning);
	}
	if (answer->reference)
		outcome->reference_number = limited(layout_value(fields,
														 answer->reference),
											CODE_LIMIT);
	if (outcome->verdict != CAS_DONE)
		complain(outcome, meaning, code, said);
}

/*
 * The answer as the table shows it: what the profile calls secret is
 * asterisks.  One to a message with a PIN may repeat it: digits are, too,
 * where the CAS may write what it likes, which is everywhere if the answer is
 * not understood.  So are those of bytes that were no answer: they may have
 * been meant for somebody else's message.
 */
static char *
response_text(const CasSettings *settings, const CasOperation *operation,
			  const CasReply *reply, const FramedAnswer *answer,
			  const List *fields)
{
	const char *words = answer && answer->text ?
	layout_value(fields, answer->text) : NULL;
	char	   *copy = palloc(reply->len);
	char	   *shown;
	ListCell   *lc;

	memcpy(copy, reply->data, reply->len);
	layout_mask(fields, copy);
	if (!pin_goes_with(operation) && reply->status == CAS_ANSWERED)
		return framed_bytes_text(settings, copy, reply->len);
	foreach(lc, fields)
	{
		const LayoutField *field = lfirst(lc);

		if (words && field->value == words)
			for (Size i = 0; i < field->len; i++)
				if (isdigit((unsigned char) copy[field->offset + i]))
					copy[field->offset + i] = '*';
	}
	shown = framed_bytes_text(settings, copy, reply->len);
	if (answer == NULL)
		wire_text_mask_digits(shown);
	return shown;
}

/* The same for the words of the CAS. */
static void
mask_words(CasOutcome *outcome)
{
	char	   *words;

	if (outcome->provider_error_description == NULL)
		return;
	words = pstrdup(outcome->provider_error_description);
	wire_text_mask_digits(words);
	if (outcome->error_description == outcome->provider_error_description)
		outcome->error_description = words;
	outcome->provider_error_description = words;
}

void
framed_decode(const CasSettings *settings, const CasOperation *operation,
			  const CasReply *reply, CasOutcome *outcome)
{
	const FramedAnswer *answer = NULL;
	const char *failure = "it is empty";
	List	   *fields = NIL;

	memset(outcome, 0, sizeof(CasOutcome));
	if (reply->data && reply->len > 0)
	{
		answer = framed_recognise(settings, reply->data, reply->len, &fields,
								  &failure);
		outcome->response = response_text(settings, operation, reply, answer,
										  fields);
	}
	if (reply->status != CAS_ANSWERED)
		verdict_no_answer(outcome, reply);
	else if (answer && answer->is_answer)
	{
		decode_answer(answer, fields, outcome);
		if (pin_goes_with(operation))
			mask_words(outcome);
	}
	else
		verdict_not_understood(outcome,
							   answer ? "it answers nothing" : failure);
}

char *
framed_explain_answer(const CasSettings *settings, const char *data, Size len,
					  bool secrets)
{
	const FramedAnswer *answer;
	const char *failure = NULL;
	List	   *fields = NIL;

	answer = framed_recognise(settings, data, len, &fields, &failure);
	if (answer == NULL)
		return psprintf("%s (%s)", framed_bytes_text(settings, data, len),
						failure);
	return psprintf("%s: %s", answer->name, layout_explain(fields, secrets));
}
