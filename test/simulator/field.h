/*-------------------------------------------------------------------------
 *
 * field.h
 *		Fixed fields of text: is it what it has to be?
 *
 *-------------------------------------------------------------------------
 */
#ifndef SIMULATOR_FIELD_H
#define SIMULATOR_FIELD_H

#include <stdbool.h>
#include <stddef.h>

extern bool field_is_digits(const char *field, size_t len);
extern bool field_is_hex(const char *field, size_t len);

/* Printable, without blanks between, at least one, then only spaces. */
extern bool field_is_padded(const char *field, size_t len);
extern bool field_is_spaces(const char *field, size_t len);
extern bool field_is_zeros(const char *field, size_t len);

/* YYYYMMDD, a day that there is; YYYYMMDDHHMMSS, a second that there is. */
extern bool field_is_date(const char *field);
extern bool field_is_time(const char *field);

/* The same, and it is now, in UTC, give or take some minutes. */
extern bool field_is_today(const char *field);
extern bool field_is_now(const char *field);

/* The number that digits are; hex digits. */
extern unsigned long field_number(const char *field, size_t len);
extern unsigned long field_hex(const char *field, size_t len);

/* Copies a field as a string, without the padding; the room is "len" + 1. */
extern void field_copy(char *to, const char *field, size_t len);

#endif							/* SIMULATOR_FIELD_H */
