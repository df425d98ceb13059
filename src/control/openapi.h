/* SPDX-License-Identifier: Apache-2.0
 *
 * The document api/openapi.yaml, as bytes that the build makes of it (scripts/embed).
 */
#pragma once

#include <stddef.h>

extern const unsigned char openapi_yaml[];
extern const size_t openapi_yaml_len;
