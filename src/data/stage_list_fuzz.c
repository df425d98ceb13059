/* SPDX-License-Identifier: Apache-2.0
 *
 * Words of a stage, which are any bytes: they are refused with a sentence, or read, and what was
 * read makes a stage. Filters are left out: libpcap reads them, and looks names up.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "data/stage_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stage_list list = {0};
    struct error err = {""};
    char *text = malloc(size + 1);
    assert(text);
    memcpy(text, data, size);
    text[size] = '\0';
    if (!strstr(text, "filter") && stage_list_add(&list, text, &err) == 0) {
        struct stage *s;
        assert(list.n == 1 && strcmp(list.spec[0].text, text) == 0);
        assert(stage_list_make(&list.spec[0], &s) == 0);
        s->ops->free(s);
    } else {
        assert(list.n == 0 && (err.text[0] || strstr(text, "filter")));
    }
    stage_list_done(&list);
    free(text);
    return 0;
}
