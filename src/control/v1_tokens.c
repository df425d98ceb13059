/* SPDX-License-Identifier: Apache-2.0
 *
 * A new token, the only answer that has its secret.
 */
#include <string.h>

#include "control/tokens.h"
#include "control/v1_impl.h"
#include "model/kinds.h"
#include "sys/crypto/kdf.h"

const char *const v1_token_parameters[] = {"project", NULL};

/* The name goes into the audit and owns objects, so it must not look like another's: names with a
 * colon are of local users. */
static void check_name(const struct object *o, struct json_faults *f)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-";
    const char *name = o->v[TOKEN_F_NAME].text;
    if (name[strspn(name, good)] || strcmp(name, "anonymous") == 0) {
        json_fault(f, "/name", "a name has letters, digits and ._@- only, and is not anonymous");
    }
}

/* Tokens belong to the project of whoever makes them. An admin of all chooses: by default those of
 * the role admin see all, too, and others are of the operator's. */
static int set_project(struct api_turn *t, struct object *o)
{
    const char *wanted = api_parameter(t, "project");
    bool admin = strcmp(o->v[TOKEN_F_ROLE].text, "admin") == 0;
    const char *project = wanted ? wanted : admin ? "" : WHO_LOCAL;
    struct error err = {""};
    if (!api_sees_all(t)) {
        project = t->who.project;
        if (wanted && strcmp(wanted, project) != 0) {
            (void)api_problem(t, 403, NULL, "project: tokens of other projects are not yours");
            return -1;
        }
    }
    if (object_set_text(o, FIELD_OF_PROJECT, project) < 0) {
        (void)api_problem(t, 503, NULL, "memory is short");
        return -1;
    }
    if (field_check(&o->kind->field[FIELD_OF_PROJECT], &o->v[FIELD_OF_PROJECT], &err) < 0) {
        (void)api_problem(t, 400, NULL, "%s", err.text);
        return -1;
    }
    return 0;
}

static bool check(struct api_turn *t, const struct object *o)
{
    struct json_faults faults = {.n = 0};
    check_name(o, &faults);
    if (o->v[TOKEN_F_EXPIRES].set && o->v[TOKEN_F_EXPIRES].n <= t->now_ns) {
        json_fault(&faults, "/expires", "the time has passed already");
    }
    if (faults.n > 0) {
        (void)api_problem(t, 422, &faults, "%s: %s", faults.at[0].pointer, faults.at[0].text);
    }
    return faults.n == 0;
}

/* The object with one field more, its secret. */
static void answer(struct api_turn *t, const struct object *o, const char *secret)
{
    struct text body = {0};
    json_put_object(&body, o, NULL);
    if (!body.failed) {
        body.len--; /* its brace */
    }
    text_add(&body, ",\"token\":\"%s\"}\n", secret);
    (void)api_json(t, 201, &body);
    http_answer_header(&t->answer, "Location", "/v1/tokens/%s", o->v[FIELD_OF_ID].text);
}

enum api_result v1_token_create(struct api_turn *t)
{
    struct object o;
    uint8_t random[TOKEN_BYTES];
    char secret[TOKEN_TEXT], hash[TOKEN_HASH];
    if (api_make(t, &kind_token, &o) < 0) {
        return API_DONE;
    }
    if (api_take(t, false, &o) < 0 || !check(t, &o) || set_project(t, &o) < 0) {
        object_done(&o);
        return API_DONE;
    }
    if (api_conf_of(t)->random(random, sizeof(random)) < 0) {
        (void)api_problem(t, 503, NULL, "the system gives no random numbers");
    } else {
        token_make(random, secret, hash);
        if (secret[0] == '-') { /* a program would take it for an option on its command line */
            random[0] ^= 0x80;
            token_make(random, secret, hash);
        }
        if (object_set_text(&o, TOKEN_F_HASH, hash) < 0) {
            (void)api_problem(t, 503, NULL, "memory is short");
        } else if (api_put(t, &o) == 0 &&
                   api_event(t, "token.created", &o, "a token of the role %s for %s",
                             o.v[TOKEN_F_ROLE].text, o.v[TOKEN_F_NAME].text) == 0) {
            answer(t, &o, secret);
        }
    }
    secure_wipe(random, sizeof(random));
    secure_wipe(secret, sizeof(secret));
    object_done(&o);
    return API_DONE;
}
