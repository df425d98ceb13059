/* SPDX-License-Identifier: Apache-2.0
 *
 * describe {bash|zsh|COMMAND}: see describe.h; the manual page of the command is standard input.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd/describe/describe.h"

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < commands_n; i++) {
        if (strcmp(name, commands[i].name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const char *word = argc == 2 ? argv[1] : "";
    const struct command *c = find(word);
    if (strcmp(word, "bash") == 0) {
        describe_bash(commands, commands_n, stdout);
    } else if (strcmp(word, "zsh") == 0) {
        describe_zsh(commands, commands_n, stdout);
    } else if (c) {
        describe_manual(c, stdin, stdout);
    } else {
        fputs("usage: describe {bash|zsh|COMMAND}\n", stderr);
        return EXIT_FAILURE;
    }
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
