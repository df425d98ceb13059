/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/stage_rows.h"

#include <errno.h>

#include "data/stage_list.h"

static int set_stage(void *to, const struct conf_given *given, struct error *err)
{
    int r = stage_list_add(to, given->text, err);
    if (r < 0) {
        error_prefix(err, "%s \"%.60s\"", given->label, given->text);
    }
    return r;
}

/* The forms of all stages, a line each, and for the manual an item each. */
#define USER(X, ID, name, kind, code, key, words, form, help) "\n  " form
static const char help_words[] =
    "frames pass this stage; several, in the order given:" STAGE_LIST(STAGE_NO_OWN, USER, );
#undef USER
#define USER(X, ID, name, kind, code, key, words, form, help) "\n- *" form "* " help "."
static const char manual_words[] =
    "Have the frames pass a stage; several stages in the order given, up to 16. See "
    "*STAGES*.\n" STAGE_LIST(STAGE_NO_OWN, USER, );
#undef USER

static const struct conf_row stage_rows[] = {
    {0, "stage", "SPEC", help_words, set_stage, .flags = CONF_REPEAT | CONF_LIVE,
     .manual = manual_words},
};

const struct conf_group stage_group = {NULL, stage_rows, ARRAY_SIZE(stage_rows)};
