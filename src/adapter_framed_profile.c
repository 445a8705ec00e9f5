/*-------------------------------------------------------------------------
 *
 * adapter_framed_profile.c
 *		Compiles the wire profiles of systems with framed messages.
 *
 * The layouts themselves are compiled by layout.c; here is what holds them
 * together: which message an operation is, how a link begins, what answers
 * there are and what they mean.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "adapter_framed.h"
#include "verdict.h"

/* What is being compiled. */
typedef struct Compilation
{
	const CasAdapter *adapter;
	const ProfileNode *root;
	const ProfileNode *groups;	/* NULL: none */
	List	   *messages;		/* of NamedLayout * */
	FramedProfile *profile;
} Compilation;

typedef struct NamedLayout
{
	const char *name;
	const Layout *layout;
} NamedLayout;

/* ------------------------------------------------------------------------
 * Messages
 * ------------------------------------------------------------------------
 */

/* All members of "messages", for the rest of the profile to name. */
static void
compile_messages(Compilation *compilation)
{
	const ProfileNode *messages = profile_require(compilation->root,
												  "messages");
	ListCell   *lc;

	foreach(lc, profile_members(messages))
	{
		const ProfileNode *node = lfirst(lc);
		NamedLayout *message = palloc(sizeof(NamedLayout));

		message->name = node->name;
		message->layout = layout_compile(node, compilation->groups,
										 compilation->profile->frame);
		compilation->messages = lappend(compilation->messages, message);
	}
}

/* The message that a node names. */
static const Layout *
named_message(const Compilation *compilation, const ProfileNode *node)
{
	const char *name = profile_string(node);
	ListCell   *lc;

	foreach(lc, compilation->messages)
	{
		const NamedLayout *message = lfirst(lc);

		if (strcmp(message->name, name) == 0)
			return message->layout;
	}
	profile_error(node, "Name a member of \"messages\".",
				  "there is no message \"%s\"", name);
}

static const Layout *
named_message_of(const Compilation *compilation, const ProfileNode *object,
				 const char *member)
{
	const ProfileNode *node = profile_member(object, member);

	return node ? named_message(compilation, node) : NULL;
}

/* ------------------------------------------------------------------------
 * Operations
 * ------------------------------------------------------------------------
 */

/* Constants, of LayoutValue *, which have to be strings. */
static List *
compile_values(const ProfileNode *object)
{
	List	   *values = NIL;
	ListCell   *lc;

	if (object == NULL)
		return NIL;
	foreach(lc, profile_members(object))
	{
		const ProfileNode *node = lfirst(lc);
		LayoutValue *value = palloc(sizeof(LayoutValue));

		value->name = node->name;
		value->value = profile_string(node);
		values = lappend(values, value);
	}
	return values;
}

/* Several messages for one request, one for each value of a parameter. */
static void
compile_each(FramedOperation *compiled, const ProfileNode *node,
			 const CasOperation *operation)
{
	const ProfileNode *each = profile_member(node, "each");
	const CasParameter *parameter;

	compiled->label = profile_string_of(node, "label", NULL);
	if (each == NULL)
		return;
	compiled->each = profile_string(each);
	parameter = cas_stored_parameter(operation, compiled->each);
	if (parameter && parameter->kind == CAS_PIN)
		profile_error(each, NULL, "cannot be a secret: labels show the value");
	if (parameter == NULL)
		profile_error(each, "Name a parameter as it stands in parameters_set.",
					  "%s has no parameter \"%s\"", operation->type,
					  compiled->each);
	if (!layout_takes(compiled->layout, compiled->each))
		profile_error(each, NULL, "the message does not hold \"%s\"",
					  compiled->each);
}

/* The field of a PIN is secret: else the record would show it. */
static void
check_secrets(const Layout *layout, const ProfileNode *message,
			  const CasOperation *operation)
{
	for (const CasParameter *p = operation->parameters; p->name; p++)
		if (p->kind == CAS_PIN && layout_shows(layout, cas_stored_name(p)))
			profile_error(message, "Give the field that takes it \"display\": \"secret\".",
						  "the message shows \"%s\" to everybody",
						  cas_stored_name(p));
}

/* The member "node" of "operations", which has to be a type of request. */
static void
compile_operation(const Compilation *compilation, const ProfileNode *node)
{
	static const char *const names[] = {
		"message", "values", "each", "label", "idempotent", NULL
	};
	const CasAdapter *adapter = compilation->adapter;
	const CasOperation *operation = adapter_operation_by_type(adapter,
															  node->name);
	FramedOperation *compiled;

	if (operation == NULL)
		profile_error(node, "Members are named after types of requests.",
					  "%s has no requests of this type", adapter->kind);
	profile_check_members(node, names);
	compiled = &compilation->profile->operations[operation -
												 adapter->operations];
	compiled->layout = named_message(compilation,
									 profile_require(node, "message"));
	compiled->values = compile_values(profile_member(node, "values"));
	compiled->idempotent = profile_boolean_of(node, "idempotent", false);
	compile_each(compiled, node, operation);
	check_secrets(compiled->layout, profile_member(node, "message"),
				  operation);
}

static void
compile_operations(Compilation *compilation)
{
	const CasAdapter *adapter = compilation->adapter;
	int			n = 0;
	ListCell   *lc;

	while (adapter->operations[n].name)
		n++;
	compilation->profile->operations = palloc0(sizeof(FramedOperation) * n);
	foreach(lc, profile_members(profile_require(compilation->root,
												"operations")))
		compile_operation(compilation, lfirst(lc));
}

/* ------------------------------------------------------------------------
 * Answers
 * ------------------------------------------------------------------------
 */

/* The name of a field of the answer, or NULL. */
static const char *
answer_field(const ProfileNode *node, const char *member,
			 const Layout *layout)
{
	const ProfileNode *field = profile_member(node, member);

	if (field == NULL)
		return NULL;
	if (!layout_has(layout, profile_string(field)))
		profile_error(field, "Name a field of this answer.",
					  "there is no field \"%s\"", profile_string(field));
	return profile_string(field);
}

/* Its meaning is a verdict, or codes that a field of it has. */
static void
compile_meaning(FramedAnswer *answer, const ProfileNode *node)
{
	const ProfileNode *codes = profile_member(node, "codes");
	const ProfileNode *verdict = profile_member(node, "verdict");

	if ((codes == NULL) == (verdict == NULL))
		profile_error(node, NULL,
					  "needs either \"verdict\" or \"codes\"");
	if (verdict)
		answer->verdict = verdict_compile(verdict);
	else if (answer->code == NULL)
		profile_error(codes, "Say in \"code\" which field has the code.",
					  "is without \"code\"");
	else
		answer->codes = verdict_compile_codes(codes, CAS_REFUSED);
}

/* An answer has to name the message that it is to, a notice nothing. */
static FramedAnswer *
compile_answer(const Compilation *compilation, const ProfileNode *node)
{
	static const char *const names[] = {
		"fields", "answer", "transaction", "code", "text", "reference",
		"verdict", "codes", NULL
	};
	FramedAnswer *answer = palloc0(sizeof(FramedAnswer));

	profile_check_members(node, names);
	answer->name = node->name;
	answer->layout = layout_compile(profile_require(node, "fields"),
									compilation->groups,
									compilation->profile->frame);
	answer->is_answer = profile_boolean_of(node, "answer", true);
	answer->transaction = answer_field(node, "transaction", answer->layout);
	answer->code = answer_field(node, "code", answer->layout);
	answer->text = answer_field(node, "text", answer->layout);
	answer->reference = answer_field(node, "reference", answer->layout);
	if (answer->is_answer)
	{
		compile_meaning(answer, node);
		if (answer->transaction == NULL)
			profile_error(node, "It is the field with the number of the message that is answered.",
						  "needs \"transaction\"");
	}
	return answer;
}

static void
compile_answers(Compilation *compilation)
{
	const ProfileNode *answers = profile_require(compilation->root,
												 "answers");
	FramedProfile *profile = compilation->profile;
	ListCell   *lc;

	foreach(lc, profile_members(answers))
		profile->answers = lappend(profile->answers,
								   compile_answer(compilation, lfirst(lc)));
	if (profile->answers == NIL)
		profile_error(answers, NULL, "has no answers");
}

/* ------------------------------------------------------------------------
 * Link
 * ------------------------------------------------------------------------
 */

/* Sends or receives, or does both, one after the other. */
static FramedStep *
compile_step(const Compilation *compilation, const ProfileNode *node)
{
	static const char *const names[] = {
		"send", "values", "receive", "field", "accept", "what", NULL
	};
	FramedStep *step = palloc0(sizeof(FramedStep));
	const ProfileNode *field;

	profile_check_members(node, names);
	step->send = named_message_of(compilation, node, "send");
	step->values = compile_values(profile_member(node, "values"));
	step->receive = named_message_of(compilation, node, "receive");
	step->what = profile_string_of(node, "what", "status");
	if (step->send == NULL && step->receive == NULL)
		profile_error(node, NULL, "needs \"send\" or \"receive\"");
	field = profile_member(node, "field");
	if (field == NULL)
		return step;
	if (step->receive == NULL ||
		!layout_has(step->receive, profile_string(field)))
		profile_error(field, "Name a field of the message in \"receive\".",
					  "there is no field \"%s\"", profile_string(field));
	step->code = profile_string(field);
	step->accepted = profile_string(profile_require(node, "accept"));
	return step;
}

/* How messages are numbered, as far as every message can hold the numbers. */
static void
compile_numbers(Compilation *compilation, const ProfileNode *node)
{
	static const char *const names[] = {"scope", "first", "last", NULL};
	static const char *const scopes[] = {"link", "connection", NULL};
	FramedProfile *profile = compilation->profile;
	ListCell   *lc;

	profile_check_members(node, names);
	profile->per_connection =
		profile_choice(profile_require(node, "scope"), scopes) == 1;
	profile->first_number = profile_integer_of(node, "first", 0, PG_INT32_MAX,
											   1);
	profile->last_number = profile_integer(profile_require(node, "last"),
										   profile->first_number + 1000,
										   PG_INT64_MAX);
	foreach(lc, compilation->messages)
	{
		const NamedLayout *message = lfirst(lc);
		uint64		most = layout_greatest(message->layout, "transaction");

		if (most != 0 && most < profile->last_number)
			profile_error(profile_member(node, "last"), NULL,
						  "message \"%s\" holds numbers up to " UINT64_FORMAT " only",
						  message->name, most);
	}
}

/* What is sent to see whether the link is alive. */
static void
compile_check(Compilation *compilation, const ProfileNode *node)
{
	static const char *const names[] = {"message", "values", NULL};
	FramedProfile *profile = compilation->profile;

	if (node == NULL)
		return;
	profile_check_members(node, names);
	profile->check = named_message(compilation,
								   profile_require(node, "message"));
	profile->check_values = compile_values(profile_member(node, "values"));
}

/* How a connection begins, and how answers find their messages. */
static void
compile_link(Compilation *compilation)
{
	static const char *const names[] = {
		"match", "numbers", "hello", "check", NULL
	};
	static const char *const matches[] = {"transaction", "order", NULL};
	const ProfileNode *link = profile_require(compilation->root, "link");
	const ProfileNode *hello = profile_member(link, "hello");
	FramedProfile *profile = compilation->profile;
	ListCell   *lc;

	profile_check_members(link, names);
	profile->by_order =
		profile_choice(profile_require(link, "match"), matches) == 1;
	compile_numbers(compilation, profile_require(link, "numbers"));
	compile_check(compilation, profile_member(link, "check"));
	if (hello == NULL)
		return;
	foreach(lc, profile_elements(hello))
		profile->hello = lappend(profile->hello,
								 compile_step(compilation, lfirst(lc)));
}

/* ------------------------------------------------------------------------
 * The whole
 * ------------------------------------------------------------------------
 */
FramedProfile *
framed_compile_profile(const CasAdapter *adapter, Jsonb *document)
{
	static const char *const names[] = {
		"kind", "frame", "link", "pin_digits", "max_set", "groups",
		"messages", "answers", "operations", NULL
	};
	const char *const kinds[] = {adapter->kind, NULL};
	FramedProfile *profile = palloc0(sizeof(FramedProfile));
	Compilation compilation = {adapter, profile_root(document)};
	const ProfileNode *root = compilation.root;

	profile_check_members(root, names);
	(void) profile_choice(profile_require(root, "kind"), kinds);
	compilation.profile = profile;
	compilation.groups = profile_member(root, "groups");
	profile->frame = layout_compile_frame(profile_require(root, "frame"));
	profile->pin = pin_compile(root);
	profile->max_set = profile_integer_of(root, "max_set", 1, 500, 500);
	compile_messages(&compilation);
	compile_answers(&compilation);
	compile_link(&compilation);
	compile_operations(&compilation);
	return profile;
}
