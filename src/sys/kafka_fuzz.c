/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets to the process of sys/kafka.h, and the words that name brokers and a topic.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sys/kafka.h"
#include "sys/kafka_process.h"

struct seen {
    const uint8_t *at; /* where the next message begins, behind its lengths */
    int n;
};

/* Messages lie one behind the other. */
static void see(void *user, const uint8_t *key, size_t key_len, const uint8_t *value,
                size_t value_len)
{
    struct seen *s = user;
    if (key != s->at + 4 || value != key + key_len || value_len == 0) {
        abort();
    }
    s->at = value + value_len;
    s->n++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen s = {data, 0};
    struct error err = {""};
    const int n = kafka_messages(data, size, see, &s);
    if (n >= 0 && (n != s.n || s.at != data + size)) {
        abort();
    }
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    struct kafka_conf c = {.properties = NULL};
    const int r = kafka_parse(text, &c, &err);
    const size_t brokers = strlen(c.brokers);
    if (r == 0 && (strncmp(text, c.brokers, brokers) != 0 || text[brokers] != '/' ||
                   strcmp(text + brokers + 1, c.topic) != 0)) {
        abort();
    }
    if (r < 0 && (c.brokers[0] != '\0' || err.text[0] == '\0')) {
        abort();
    }
    free(text);
    return 0;
}
