/*-------------------------------------------------------------------------
 *
 * directory_choice.c
 *		Can a relation stand for a table of the directory?
 *
 * Our columns are found in it by name or as the mapping says, and come out as
 * texts.  Those that it need not have are made up.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "complaint.h"
#include "directory.h"
#include "directory_source.h"

#define CHOICE_HINT \
	"Put it right, or call provreq.use_directory() again, with NULL to go " \
	"back to the table of provreq."

typedef struct DirectoryColumn
{
	const char *name;			/* NULL ends the list */
	bool		needed;			/* the relation must have it */
	bool		not_null;		/* and it must hold something */
	const char *otherwise;		/* what is taken instead; NULL: NULL */
} DirectoryColumn;

typedef struct DirectoryKindRule
{
	const char *name;
	DirectoryColumn columns[9];
} DirectoryKindRule;

static const DirectoryKindRule kinds[DIRECTORY_KINDS] = {
	[KIND_SUBSCRIPTION] = {
		.name = "subscription",
		.columns = {
			{"id", true, true},
			{"number", true, true},
		}
	},
	[KIND_PRODUCT] = {
		.name = "product",
		.columns = {
			{"id", true, true},
			{"code", true, true},
			{"alternative_code"},
			{"classification", false, true, "'SERVICE'"},
		}
	},
	[KIND_INSTALLED_ITEM] = {
		.name = "installed_item",
		.columns = {
			{"id", true, true},
			{"serial_number", true, true},
			{"alternative_code"},
			{"subscription_id"},
			{"classification", true, true},
			{"ca_id", true},
			{"provider"},
			{"life_cycle_state", false, true, "'EFFECTIVE'"},
		}
	},
	[KIND_SERVICE_MAPPING] = {
		.name = "service_mapping",
		.columns = {
			{"product_id", true, true},
			{"provider"},
			{"service_ca_id", true, true},
		}
	},
	[KIND_SUBSCRIPTION_DISTRIBUTOR] = {
		.name = "subscription_distributor",
		.columns = {
			{"id", true, true},
			{"subscription_id"},
			{"installed_item_id"},
			{"provider"},
		}
	},
	[KIND_ENTITLEMENT] = {
		.name = "entitlement",
		.columns = {
			{"installed_item_id", true, true},
			{"product_id", true, true},
		}
	}
};

DirectoryKind
directory_kind(const char *name)
{
	List	   *names = NIL;
	int			i;

	for (i = 0; i < DIRECTORY_KINDS; i++)
	{
		if (strcmp(kinds[i].name, name) == 0)
			return i;
		names = lappend(names, unconstify(char *, kinds[i].name));
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("parameter \"kind\" cannot be \"%s\"",
					complaint_text(name)),
			 errhint("Valid values are %s.", complaint_list(names))));
}

const char *
directory_kind_name(DirectoryKind kind)
{
	return kinds[kind].name;
}

static const DirectoryColumn *
find_column(DirectoryKind kind, const char *name)
{
	const DirectoryColumn *column;

	for (column = kinds[kind].columns; column->name != NULL; column++)
	{
		if (strcmp(column->name, name) == 0)
			return column;
	}
	return NULL;
}

/* ------------------------------------------------------------------------
 * The mapping of columns
 * ------------------------------------------------------------------------
 */

static char *
column_names(DirectoryKind kind)
{
	const DirectoryColumn *column;
	List	   *names = NIL;

	for (column = kinds[kind].columns; column->name != NULL; column++)
		names = lappend(names, unconstify(char *, column->name));
	return complaint_list(names);
}

void
directory_kind_check_column(DirectoryKind kind, const char *parameter,
							const char *name)
{
	if (find_column(kind, name) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_PARAMETER),
				 errmsg("parameter \"%s\": %s of the directory has no column "
						"\"%s\"", parameter, directory_kind_name(kind),
						complaint_text(name)),
				 errhint("Its columns are %s.", column_names(kind))));
}

static void
check_mapping_key(DirectoryKind kind, const JsonbValue *key)
{
	directory_kind_check_column(kind, "columns",
								pnstrdup(key->val.string.val,
										 key->val.string.len));
}

/* Raises an error unless it is an object of our names with theirs or null. */
static void
check_mapping(DirectoryKind kind, Jsonb *columns)
{
	JsonbIterator *iterator = JsonbIteratorInit(&columns->root);
	JsonbIteratorToken token;
	JsonbValue	value;

	if (!JB_ROOT_IS_OBJECT(columns))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"columns\" must be a JSON object"),
				 errhint("Its members are %s, each with the name of a column, "
						 "or null where there is none.",
						 column_names(kind))));
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			check_mapping_key(kind, &value);
		if (token == WJB_VALUE && value.type != jbvString &&
			value.type != jbvNull)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("parameter \"columns\" must have texts or null "
							"as members")));
	}
}

/* What the column is called in the relation; NULL: there is none. */
static char *
mapped_name(Jsonb *columns, const DirectoryColumn *column)
{
	JsonbValue *value;

	value = getKeyJsonValueFromContainer(&columns->root, column->name,
										 strlen(column->name), NULL);
	if (value == NULL)
		return pstrdup(column->name);
	if (value->type == jbvNull)
		return NULL;
	return pnstrdup(value->val.string.val, value->val.string.len);
}

/* True when the mapping names it, so that it must be there. */
static bool
is_mapped(Jsonb *columns, const DirectoryColumn *column)
{
	JsonbValue *value;

	value = getKeyJsonValueFromContainer(&columns->root, column->name,
										 strlen(column->name), NULL);
	return value != NULL && value->type == jbvString;
}

/* ------------------------------------------------------------------------
 * The relation
 * ------------------------------------------------------------------------
 */

/* Raises unless it is something to SELECT from that all sessions see. */
static void
check_relation_kind(Relation rel, const char *relation)
{
	switch (rel->rd_rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_VIEW:
		case RELKIND_MATVIEW:
		case RELKIND_FOREIGN_TABLE:
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("%s is not a table or view", relation),
					 errhint(CHOICE_HINT)));
	}
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s is temporary", relation),
				 errdetail("Other sessions cannot see it.")));
}

/* The attribute number, or 0; raises an error when it is no text. */
static AttrNumber
find_attribute(Relation rel, const char *relation, const char *name)
{
	TupleDesc	desc = RelationGetDescr(rel);
	int			i;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		Oid			type;

		if (attribute->attisdropped ||
			strcmp(NameStr(attribute->attname), name) != 0)
			continue;
		type = getBaseType(attribute->atttypid);
		if (type != TEXTOID && type != VARCHAROID)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column \"%s\" of %s has type %s, not text",
							name, relation,
							format_type_be(attribute->atttypid)),
					 errhint("Make a view that casts it to text.")));
		return i + 1;
	}
	return 0;
}

static void
complain_missing(DirectoryKind kind, const char *relation,
				 const DirectoryColumn *column, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 name == NULL ?
			 errmsg("%s must have a column for \"%s\"", relation,
					column->name) :
			 errmsg("%s has no column \"%s\", which is to be \"%s\" of the "
					"directory", relation, complaint_text(name),
					column->name),
			 errdetail("It stands for provreq.%s, which has %s.",
					   directory_kind_name(kind), column_names(kind)),
			 errhint("Name another in parameter \"columns\" of "
					 "provreq.use_directory(), such as {\"%s\": \"...\"}.",
					 column->name)));
}

/* What a row of a distributor links is one of two things. */
static void
check_link(DirectoryKind kind, const char *relation, int linked)
{
	if (kind == KIND_SUBSCRIPTION_DISTRIBUTOR && linked == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("%s must have a column for \"subscription_id\" or "
						"for \"installed_item_id\"", relation),
				 errhint("Name it in parameter \"columns\" of "
						 "provreq.use_directory().")));
}

/* A SELECT of all our columns from the relation; raises an error. */
static char *
make_query(DirectoryKind kind, Relation rel, const char *relation,
		   Jsonb *columns)
{
	const DirectoryColumn *column;
	StringInfoData query;
	int			linked = 0;

	initStringInfo(&query);
	for (column = kinds[kind].columns; column->name != NULL; column++)
	{
		char	   *name = mapped_name(columns, column);
		bool		found;

		found = name != NULL && find_attribute(rel, relation, name) != 0;
		if (!found && (column->needed || is_mapped(columns, column)))
			complain_missing(kind, relation, column, name);
		appendStringInfoString(&query, query.len == 0 ? "SELECT " : ", ");
		if (found)
			appendStringInfo(&query, "v.%s", quote_identifier(name));
		else
			appendStringInfoString(&query, column->otherwise != NULL ?
								   column->otherwise : "NULL");
		appendStringInfo(&query, "::pg_catalog.text AS %s", column->name);
		if (found && (strcmp(column->name, "subscription_id") == 0 ||
					  strcmp(column->name, "installed_item_id") == 0))
			linked++;
	}
	check_link(kind, relation, linked);
	appendStringInfo(&query, " FROM %s AS v", relation);
	return query.data;
}

/* ------------------------------------------------------------------------
 * The role
 * ------------------------------------------------------------------------
 */

/* Raises unless the role is there and no superuser. */
static void
check_role(Oid role, const char *name)
{
	if (!OidIsValid(role))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role \"%s\", as which the directory is to be read, "
						"does not exist", complaint_text(name)),
				 errhint(CHOICE_HINT)));
	if (superuser_arg(role))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("the directory cannot be read as superuser \"%s\"",
						name),
				 errdetail("Functions that the relation calls would have all "
						   "rights."),
				 errhint("Make a role for it, GRANT it SELECT on the "
						 "relation, and name it in parameter \"role\".")));
}

/* Raises unless the role may read the relation and use its schema. */
static void
check_rights(Oid relid, const char *relation, Oid role, const char *name)
{
	Oid			schema = get_rel_namespace(relid);

	if (pg_class_aclcheck(relid, role, ACL_SELECT) != ACLCHECK_OK &&
		pg_attribute_aclcheck_all(relid, role, ACL_SELECT,
								  ACLMASK_ANY) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("role \"%s\" may not read %s", name, relation),
				 errhint("Use GRANT SELECT ON %s TO %s.", relation,
						 quote_identifier(name))));
	if (compat_schema_usage(schema, role) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("role \"%s\" may not use the schema of %s", name,
						relation),
				 errhint("Use GRANT USAGE ON SCHEMA %s TO %s.",
						 quote_identifier(get_namespace_name(schema)),
						 quote_identifier(name))));
}

/* ------------------------------------------------------------------------
 * Together
 * ------------------------------------------------------------------------
 */

/* The relation, locked for reading; raises when it is gone. */
static Relation
open_relation(const DirectoryChoice *choice, const char *relation)
{
	Oid			schema = get_namespace_oid(choice->schema, true);
	Oid			relid = InvalidOid;
	Relation	rel = NULL;

	if (OidIsValid(schema))
		relid = get_relname_relid(choice->relation, schema);
	if (OidIsValid(relid))
		rel = try_relation_open(relid, AccessShareLock);
	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("%s, which stands for a table of the directory, does "
						"not exist", relation),
				 errhint(CHOICE_HINT)));
	return rel;
}

DirectorySource *
directory_source_make(DirectoryKind kind, const DirectoryChoice *choice)
{
	DirectorySource *source = palloc0(sizeof(DirectorySource));
	Relation	rel;

	source->kind = kind;
	source->relation = quote_qualified_identifier(choice->schema,
												  choice->relation);
	source->role_name = choice->role;
	source->role = get_role_oid(choice->role, true);
	check_mapping(kind, choice->columns);
	check_role(source->role, choice->role);
	rel = open_relation(choice, source->relation);
	check_relation_kind(rel, source->relation);
	source->relid = RelationGetRelid(rel);
	source->query = make_query(kind, rel, source->relation, choice->columns);
	check_rights(source->relid, source->relation, source->role, choice->role);
	relation_close(rel, NoLock);
	return source;
}

const char *
directory_source_value(const DirectorySource *source, const char *column,
					   const char *value)
{
	const DirectoryColumn *known = find_column(source->kind, column);

	if (known == NULL)
		return value;
	if (value != NULL && *value == '\0')
		value = NULL;
	if (value == NULL && known->not_null)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s has a row without a value of \"%s\"",
						source->relation, column)));
	if (value != NULL && (pg_mbstrlen(value) > DIRECTORY_MAX_LENGTH ||
						  complaint_has_control(value)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s has a value of \"%s\" that is longer than %d "
						"characters or contains a control character: \"%s\"",
						source->relation, column, DIRECTORY_MAX_LENGTH,
						complaint_text(value))));
	return value;
}
