/* SPDX-License-Identifier: Apache-2.0
 *
 * The pieces that both completions have.
 */
#include "cmd/describe/describe.h"

void describe_words(const struct conf_row *row, FILE *to)
{
    for (const char *p = row->words; *p; p++) {
        fputc(*p == '|' ? ' ' : *p, to);
    }
}
