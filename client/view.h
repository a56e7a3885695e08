/* view.h - how values look to people: money, rates, times, states, and the tables of a case. In English or Chinese.
 *
 * Prints to cli->out; nothing here fails. */
#ifndef COLOAN_CLIENT_VIEW_H
#define COLOAN_CLIENT_VIEW_H

#include <coloan/v1/application.pb-c.h>
#include <coloan/v1/decision.pb-c.h>

#include "client/cli.h"

#define VIEW_TEXT_BYTES_MAX 48

/* "1,234,567.89", of any int64. */
void view_money(char out[VIEW_TEXT_BYTES_MAX], int64_t fen);

/* "2.6 %", of ppm. */
void view_rate(char out[VIEW_TEXT_BYTES_MAX], int32_t ppm);

/* "2026-11-23 09:30:05" in China's time. */
void view_time(char out[VIEW_TEXT_BYTES_MAX], int64_t unix_ms);

/* The value's name without its type in front: "VERIFYING". */
const char *view_enum(const ProtobufCEnumDescriptor *type, int value);

/* The same as the reader calls it: in Chinese with --lang zh. */
const char *view_term(const struct cli *cli, const ProtobufCEnumDescriptor *type, int value);

/* "label   value", the label in as many columns in either language. */
void view_row(const struct cli *cli, const char *english, const char *chinese, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The text and blanks up to so many columns of the screen, at least one; Chinese takes two a character. */
void view_padded(const struct cli *cli, const char *text, int columns);

void view_heading(const struct cli *cli, const char *english, const char *chinese);

void view_status(const struct cli *cli, const Coloan__V1__ApplicationStatus *status);
void view_reasons(const struct cli *cli, Coloan__V1__Reason *const *reasons, size_t count);
void view_items(const struct cli *cli, Coloan__V1__VerificationResult *const *items, size_t count);
void view_terms(const struct cli *cli, const Coloan__V1__OfferTerms *terms);
void view_timeline(const struct cli *cli, Coloan__V1__TimelineEntry *const *entries, size_t count);
void view_trace(const struct cli *cli, const Coloan__V1__DecisionTrace *trace);

#endif
