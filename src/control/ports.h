/* SPDX-License-Identifier: Apache-2.0
 *
 * Which port a client means by a word.
 */
#pragma once

#include "control/api.h"

enum {
    PORTS_POINT = 130, /* bytes of a port's name, with its agent's */
};

/* Of this host, whose ports have no agent: "home:eth0" means "eth0". */
#define PORTS_HOME "home:"

/* "eth0", of an agent "web1:eth0". */
void ports_name(const struct object *port, char ret[PORTS_POINT]);
/* Is the word the port's name, with its agent's, or its alias? */
bool ports_means(const struct object *port, const char *word);
/* Those that whoever asks sees and that are there now, in the order of their names, as api_each().
 * A failure has become the answer, and is never -ENOENT. */
int ports_each_there(struct api_turn *t, int (*each)(void *user, const struct object *port),
                     void *user);
/* The port that is there now and that the name, alias or id means: "eth0", of an agent "web1:eth0".
 * -ENOENT: there is none; `ret_near` is then the name most like it, "" where there are no ports.
 * Another failure has become the answer. */
int ports_find(struct api_turn *t, const char *point, char ret[PORTS_POINT],
               char ret_near[PORTS_POINT]);
/* A copy of the port, there or not, that the name, alias or id means; the id may also be the one
 * that its manager has for it (PORT_F_CLAIM). *ret is object_done()'s.
 * -ENOENT: whoever asks sees none. Another failure has become the answer. */
int ports_get(struct api_turn *t, const char *word, struct object *ret);
/* The only port that there is. -ENOENT: there are none or several, which `ret_names` lists. */
int ports_only(struct api_turn *t, char ret[PORTS_POINT], char ret_names[PORTS_POINT]);
