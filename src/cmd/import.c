/* SPDX-License-Identifier: Apache-2.0
 *
 * `farspan import`: prints a configuration file that is made of another program's settings.
 */
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/import_tap.h"
#include "cmd/options.h"
#include "cmd/tables.h"
#include "proto/properties.h"
#include "sys/read_file.h"

static const char intro[] =
    "Usage: farspan import ivtap FILE... [--interface NAME] [--key-file FILE]\n"
    "\n"
    "Prints a configuration file with the settings of ivTAP: of its client's\n"
    "ivTAPclient.properties for a tap, of its server's ivTAP.properties and\n"
    "tenantsDescription.properties for a collector. Each thing that a person has to add or to "
    "look\n"
    "at goes to standard error, and the exit status is 1 then.\n";

static const struct conf_row rows[] = {
    {0, "interface", "NAME", "the interface, which ivTAP names as Windows does",
     CONF_TEXT_AT(struct import_given, interface), .offer = CONF_INTERFACE,
     .manual =
         "The interface to tap, or, of a server's file, the one that frames go out of.\n"
         "ivTAP's file names it as Windows does, such as _\\\\Device\\\\NPF\\_{...}_; a name\n"
         "that an interface of Linux can have is taken from the file."},
    {0, "key-file", "FILE", "the file with the passphrase, which ivTAP does not have",
     CONF_TEXT_AT(struct import_given, key_file), .offer = CONF_FILE,
     .manual = "The file whose first line has the passphrase. It is named in what is printed,\n"
               "and not read."},
};

static const struct conf_group group = {NULL, rows, ARRAY_SIZE(rows)};
static const struct conf_part part = {&group, 0};
static const struct conf_table table = {"import", &part, 1};
const struct options import_options = {&table, intro, 24, NULL, NULL, NULL, CONF_FILE};

static void print_sections(struct import *m, enum ivtap_file file, const char *text, size_t len,
                           const struct import_given *given)
{
    struct ivtap t = {0};
    if (file == IVTAP_DESCRIPTIONS) {
        import_describe(m, text, len);
        return;
    }
    ivtap_read(m, file, text, len, &t);
    if (file == IVTAP_CLIENT) {
        import_tap(m, &t, given);
    } else {
        import_server(m, &t, given);
    }
    ivtap_done(&t);
}

/* Prints what the file becomes, unless another file of its kind has been there. */
static void print_file(struct import *m, const struct import_given *given,
                       bool printed[IVTAP_FILES])
{
    static const char *const kinds[] = {[IVTAP_CLIENT] = "client",
                                        [IVTAP_SERVER] = "server",
                                        [IVTAP_DESCRIPTIONS] = "list of descriptions"};
    char *text = NULL;
    size_t len = 0;
    enum ivtap_file file = IVTAP_CLIENT;
    struct error err = {""};
    if (read_file(m->path, PROPERTIES_MAX, &text, &len, &err) < 0) {
        say("import", "%s", err.text);
        m->mistakes++;
        return;
    }
    if (ivtap_recognise(text, len, &file, &err) < 0) {
        import_mistake(m, 0, "%s", err.text);
    } else if (printed[file]) {
        import_mistake(m, 0, "a second %s: import it by itself, into a file of its own",
                       kinds[file]);
    } else {
        printed[file] = true;
        print_sections(m, file, text, len, given);
    }
    free(text);
}

static int import_files(int n, char **paths, const struct import_given *given)
{
    bool printed[IVTAP_FILES] = {false};
    unsigned mistakes = 0;
    for (int i = 0; i < n; i++) {
        struct import m = {paths[i], 0, UINT_MAX};
        print_file(&m, given, printed);
        mistakes += m.mistakes;
    }
    return end_output("import", mistakes > 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* Could a file have what the options say? */
static int check_given(const struct import_given *given, struct error *err)
{
    int r = given->interface ? import_check(&tap_table, "interface", given->interface, err) : 0;
    return r == 0 && given->key_file ? import_check(&tap_table, "key-file", given->key_file, err)
                                     : r;
}

int cmd_import(int argc, char **argv)
{
    struct import_given given = {NULL, NULL};
    struct error err = {""};
    int r = options_parse(&import_options, &given, argc, argv, NULL);
    if (r != 0) {
        return -1 - r;
    }
    if (check_given(&given, &err) < 0) {
        return usage_error("import", "%s", err.text);
    }
    if (optind == argc || strcmp(argv[optind], "ivtap") != 0) {
        return usage_error("import", "the first word says whose settings they are: ivtap");
    }
    if (++optind == argc) {
        return usage_error("import", "a file is needed: farspan import ivtap FILE");
    }
    return import_files(argc - optind, argv + optind, &given);
}
