/* SPDX-License-Identifier: Apache-2.0
 *
 * The mark (SO_MARK) of packets that farspan sends of its own accord onto this host's interfaces,
 * so that its taps leave them out. Nothing of it is on the wire.
 */
#pragma once

enum {
    SOCKMARK_OUTPUT = 0x66537074, /* frames of a collector's port */
};
