/* SPDX-License-Identifier: Apache-2.0
 *
 * The one program: finds the command and runs it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "sys/crypto/kdf.h"

static void print_help(void)
{
    puts(
        "Usage: farspan COMMAND [OPTION...]\n"
        "\n"
        "Software network taps: captures on a far host, carries the frames over an encrypted link, "
        "and\n"
        "makes them appear at home as a SPAN port would.\n"
        "\n"
        "Commands:");
    for (size_t i = 0; i < commands_n; i++) {
        printf("  %-13s %s\n", commands[i].name, commands[i].help);
    }
    puts("\n"
         "Options:\n"
         "  -h, --help     print this help; \"farspan COMMAND --help\" that of a command\n"
         "  -V, --version  print the version");
}

int main(int argc, char **argv)
{
    struct error err;
    const char *word = argc > 1 ? argv[1] : "";
    if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
        print_help();
        return EXIT_SUCCESS;
    }
    if (strcmp(word, "-V") == 0 || strcmp(word, "--version") == 0) {
        puts("farspan " FARSPAN_VERSION);
        return EXIT_SUCCESS;
    }
    for (size_t i = 0; i < commands_n; i++) {
        if (strcmp(word, commands[i].name) == 0) {
            signal(SIGPIPE, SIG_IGN);
            if (crypto_init(&err) < 0) {
                say("", "%s", err.text);
                return EXIT_FAILURE;
            }
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    return argc > 1
               ? usage_error("", "there is no command \"%s\"", word)
               : usage_error(
                     "",
                     "a command is needed: tap, collector, meter, keygen, status, check or import");
}
