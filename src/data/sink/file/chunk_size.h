/* SPDX-License-Identifier: Apache-2.0
 *
 * The size of the file sink's chunks, for those who say how many there are (file.h) and for the two
 * threads that fill and write them (writer.h).
 */
#pragma once

/* Bytes; any frame fits with its interface's description before it. */
enum {
    FILE_SINK_CHUNK = (1 << 20) + (64 << 10),
    FILE_SINK_CHUNK_MIN = 128 << 10,
};
