/*-------------------------------------------------------------------------
 *
 * layout_compile.h
 *		Compiling layouts, for the files of layout_compile.c alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_LAYOUT_COMPILE_H
#define PROVREQ_LAYOUT_COMPILE_H

#include "layout_private.h"

/* The fields that stand before, from the innermost list outwards. */
typedef struct Scope
{
	List	   *fields;			/* of FieldSpec * */
	struct Scope *outer;
} Scope;

typedef struct Compiler
{
	Layout	   *layout;
	const ProfileNode *groups;
	int			nfields;
	List	   *using;			/* names of groups being unfolded */
	int			depth;
} Compiler;

/* layout_compile.c */

/* Compiles an array of fields. */
extern void layout_compile_list(Compiler *com, Scope *outer,
								const ProfileNode *array, FieldList *list);

/* The field of a name, or NULL. */
extern FieldSpec *layout_find_in_list(List *fields, const char *name);

/* The earlier, computed field that {"field": name} names. */
extern FieldSpec *layout_compile_reference(Compiler *com, Scope *scope,
										   const ProfileNode *node);

extern void layout_need_mark(Layout *layout, FieldSpec *spec);

/* layout_compile_group.c: what is left to do for these forms */
extern void layout_compile_group(Compiler *com, Scope *scope,
								 FieldSpec *spec);
extern void layout_compile_tlv(Compiler *com, FieldSpec *spec);
extern void layout_compile_select(Compiler *com, Scope *scope,
								  FieldSpec *spec);

#endif							/* PROVREQ_LAYOUT_COMPILE_H */
