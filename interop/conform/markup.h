/* markup.h - texts inside XML and HTML. Whatever a testee says is only ever text there.
 *
 * Values only. Cannot fail; a file's errors are for ferror. */
#ifndef COLOAN_CONFORM_MARKUP_H
#define COLOAN_CONFORM_MARKUP_H

#include <stdio.h>

/* Writes the text with what would be markup, and what XML 1.0 cannot hold, replaced. */
void markup_text(FILE *out, const char *text);

#endif
