/* SPDX-License-Identifier: Apache-2.0
 *
 * kafkamock BROKERS PARTITIONS TOPIC: librdkafka's own mock cluster. Prints the brokers' addresses
 * on a line and serves until the end of its input, on which lines say: `down`, `up` (all brokers),
 * `rtt MS`, `refuse N` (the next N produce requests: the topic may not be written).
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PRODUCE = 0, /* number of that request in Kafka's protocol */
    ERRORS = 1000,
};

static int number(const char *text)
{
    return (int)strtol(text, NULL, 10);
}

static void refuse(rd_kafka_mock_cluster_t *c, int n)
{
    static rd_kafka_resp_err_t errors[ERRORS];
    for (int i = 0; i < n && i < ERRORS; i++) {
        errors[i] = RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    }
    rd_kafka_mock_push_request_errors_array(c, PRODUCE, (size_t)(n < ERRORS ? n : ERRORS), errors);
}

static void obey(rd_kafka_mock_cluster_t *c, int brokers, const char *line)
{
    for (int id = 1; id <= brokers; id++) {
        if (strcmp(line, "down\n") == 0) {
            rd_kafka_mock_broker_set_down(c, id);
        } else if (strcmp(line, "up\n") == 0) {
            rd_kafka_mock_broker_set_up(c, id);
        } else if (strncmp(line, "rtt ", 4) == 0) {
            rd_kafka_mock_broker_set_rtt(c, id, number(line + 4));
        }
    }
    if (strncmp(line, "refuse ", 7) == 0) {
        refuse(c, number(line + 7));
    }
}

int main(int argc, char **argv)
{
    char why[200], line[64];
    if (argc != 4 || number(argv[1]) < 1) {
        fprintf(stderr, "Usage: kafkamock BROKERS PARTITIONS TOPIC\n");
        return 2;
    }
    const int brokers = number(argv[1]);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why, sizeof(why));
    rd_kafka_mock_cluster_t *c = rk ? rd_kafka_mock_cluster_new(rk, brokers) : NULL;
    if (!c || rd_kafka_mock_topic_create(c, argv[3], number(argv[2]), 1) != 0) {
        fprintf(stderr, "kafkamock: no cluster\n");
        return 1;
    }
    printf("%s\n", rd_kafka_mock_cluster_bootstraps(c));
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        obey(c, brokers, line);
        printf("done %s", line);
        fflush(stdout);
    }
    rd_kafka_mock_cluster_destroy(c);
    rd_kafka_destroy(rk);
    return 0;
}
