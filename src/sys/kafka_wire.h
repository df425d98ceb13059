/* SPDX-License-Identifier: Apache-2.0
 *
 * The process of sys/kafka.h and who starts it: what the one is told, and what goes over the socket
 * between them.
 *
 * On the socket, of the kind SOCK_SEQPACKET and non-blocking, a packet is at most KAFKA_PACKET
 * bytes. The engine's hold messages, each as `u16 key length, u16 value length, key, value`, and
 * are written with write(); a packet of the one byte 0 is the end. The process's hold a struct
 * kafka_counts; the last of them comes before the end of the stream.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    KAFKA_PACKET = 32 << 10,
    KAFKA_BROKERS_MAX = 1024, /* bytes of their list */
    KAFKA_TOPIC_MAX = 249,    /* bytes of a name, as Kafka has it */
    KAFKA_FINISH_MS = 8000,   /* for which the process tries to deliver, at its end */
    KAFKA_PROPERTIES_MAX = 64 << 10,
};

struct kafka_conf {
    char brokers[KAFKA_BROKERS_MAX + 1]; /* "host:port,host:port" */
    char topic[KAFKA_TOPIC_MAX + 1];
    const char *properties; /* a file of librdkafka's properties, "name=value" a line; NULL: none */
    bool waits;             /* where its queue is full it takes nothing; else it drops */
};

/* Messages so far: in = delivered + away + slow + refused, and those that are under way. */
struct kafka_counts {
    uint64_t in;
    uint64_t delivered;
    uint64_t away;    /* not delivered in time, or no broker could be reached */
    uint64_t slow;    /* the queue was full */
    uint64_t refused; /* by the broker, for good */
};
