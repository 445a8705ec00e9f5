/*-------------------------------------------------------------------------
 *
 * wire_text.h
 *		Text between the server's encoding and the UTF-8 of the wire.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROVREQ_WIRE_TEXT_H
#define PROVREQ_WIRE_TEXT_H

/*
 * A text of the server as UTF-8; raises when it holds a character that has
 * no UTF-8 form.  Texts of ASCII alone need no conversion and come back as
 * they are, so this works outside of transactions for all but foreign
 * characters in a database that is not UTF-8.
 */
extern const char *wire_text_to_utf8(const char *server_text);

/* Can XML 1.0 carry every character of this valid UTF-8 text? */
extern bool wire_text_fits_xml(const char *utf8);

/* Nothing but printable ASCII, line ends and tabs? */
extern bool wire_text_is_plain(const char *data, Size len);

/*
 * What came from outside as a text that can be stored: whatever is not valid
 * UTF-8 or has no form in the server's encoding becomes a question mark,
 * control characters other than line ends and tabs go.  Never raises.
 */
extern char *wire_text_from_utf8(const char *data, Size len);

/* Replaces each digit by an asterisk, in place. */
extern void wire_text_mask_digits(char *str);

#endif							/* PROVREQ_WIRE_TEXT_H */
