/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions that cannot be used safely with hostile input: naming one is a compile error. Included
 * from the command line of every compilation, after the system headers that declare them.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* With _FORTIFY_SOURCE the C library makes this one a macro for compilers that cannot inline
 * variable arguments (clang), and a macro must go before its name can be poisoned. */
#undef sprintf

#pragma GCC poison strcpy strcat sprintf vsprintf strncpy strncat strtok gets
#pragma GCC poison atoi atol atoll gmtime localtime ctime asctime
