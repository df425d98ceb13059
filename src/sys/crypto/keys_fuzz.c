/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text as a list of taps, as a key file and as a key. What is accepted must be found again.
 */
#include <stdlib.h>
#include <string.h>

#include "sys/crypto/keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct allow_list list = {0};
    struct error err = {0};
    uint8_t key[KEY_LEN];
    if (allow_parse(text, size, "f", &list, &err) == 0) {
        for (size_t i = 0; i < list.n; i++) {
            const struct allow_entry *e = &list.entries[i];
            if (allow_find(&list, e->key) != e || allow_find_name(&list, e->name) != e) {
                abort();
            }
        }
        allow_done(&list);
    } else if (!err.text[0] || list.entries) {
        abort();
    }
    key_load_private(text, size, "f", key, NULL);
    if (key_parse(text, size, key) == 0) {
        char again[KEY_TEXT_LEN + 1];
        key_format(key, again);
        if (memcmp(again, text, KEY_TEXT_LEN) != 0) { /* a key has one text only */
            abort();
        }
    }
    return 0;
}
