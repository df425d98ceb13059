/* SPDX-License-Identifier: Apache-2.0
 *
 * The completions for bash.
 */
#include <string.h>

#include "cmd/describe/describe.h"

static const char head[] =
    "# SPDX-License-Identifier: Apache-2.0\n"
    "# shellcheck shell=bash\n"
    "#\n"
    "# Completion of farspan's commands, options and values for bash; made by the build.\n"
    "\n"
    "_farspan_interfaces() {\n"
    "    sed -n 's/^ *\\([^ :]*\\):.*/\\1/p' /proc/net/dev\n"
    "}\n"
    "\n"
    "_farspan_running() {\n"
    "    find /run/farspan -maxdepth 1 -name '*.sock' -printf '%f\\n' 2>/dev/null | sed "
    "'s/\\.sock$//'\n"
    "}\n"
    "\n";

static const char middle[] =
    "_farspan() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=''\n"
    "    [ \"$COMP_CWORD\" -gt 1 ] && command=${COMP_WORDS[1]}\n"
    "    COMPREPLY=()\n"
    "    case $command,$prev in\n";

static const char tail[] = "    *) mapfile -t COMPREPLY < <(compgen -W \"$(_farspan_words "
                           "\"$command\")\" -- \"$cur\") ;;\n"
                           "    esac\n"
                           "}\n"
                           "\n"
                           "complete -F _farspan farspan\n";

static const char *offered(enum conf_offer offer)
{
    static const char *const by[] = {
        [CONF_FILE] = "-f",
        [CONF_INTERFACE] = "-W \"any $(_farspan_interfaces)\"",
        [CONF_NETNS] = "-W \"$(ls /run/netns 2>/dev/null)\"",
        [CONF_HOST] = "-A hostname",
        [CONF_USER] = "-u",
        [CONF_STATUS] = "-W \"$(_farspan_running)\"",
    };
    return by[offer];
}

static void print_words(const struct command *all, size_t n, FILE *to)
{
    const struct conf_row *row;
    fputs("_farspan_words() {\n    case $1 in\n", to);
    for (size_t k = 0; k < n; k++) {
        fprintf(to, "    %s) echo \"", all[k].name);
        for (size_t i = 0; (row = options_row_at(all[k].options->table, i)); i++) {
            if (row->letter) {
                fprintf(to, "-%c ", row->letter);
            }
            fprintf(to, "--%s ", row->name);
        }
        fputs("\" ;;\n", to);
    }
    fputs("    *) echo \"", to);
    for (size_t k = 0; k < n; k++) {
        fprintf(to, "%s ", all[k].name);
    }
    fputs("-h --help -V --version\" ;;\n    esac\n}\n\n", to);
}

/* The values of an option: its words, what it offers, or nothing, so that no option is offered. */
static void print_case(const char *command, const struct conf_row *row, FILE *to)
{
    const char *of = offered(row->offer);
    fprintf(to, "    %s,--%s", command, row->name);
    if (row->letter) {
        fprintf(to, " | %s,-%c", command, row->letter);
    }
    if (row->words) {
        fputs(") mapfile -t COMPREPLY < <(compgen -W \"", to);
        describe_words(row, to);
        fputs("\" -- \"$cur\") ;;\n", to);
    } else if (of) {
        fprintf(to, ") mapfile -t COMPREPLY < <(compgen %s -- \"$cur\") ;;\n", of);
    } else {
        fputs(") ;;\n", to);
    }
}

static void print_command(const struct command *c, FILE *to)
{
    const struct conf_row *row;
    const enum conf_offer words = c->options->words;
    for (size_t i = 0; (row = options_row_at(c->options->table, i)); i++) {
        if (row->arg && !(row->flags & CONF_MAYBE)) { /* the next word is none of its */
            print_case(c->name, row, to);
        }
    }
    if (words != CONF_NOTHING) {
        fprintf(to,
                "    %s,*)\n"
                "        mapfile -t COMPREPLY < <(\n"
                "            compgen %s -- \"$cur\"\n"
                "            compgen -W \"$(_farspan_words %s)\" -- \"$cur\"\n"
                "        )\n"
                "        ;;\n",
                c->name, offered(words), c->name);
    }
}

void describe_bash(const struct command *all, size_t n, FILE *to)
{
    fputs(head, to);
    print_words(all, n, to);
    fputs(middle, to);
    for (size_t k = 0; k < n; k++) {
        print_command(&all[k], to);
    }
    fputs(tail, to);
}
