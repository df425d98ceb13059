/* SPDX-License-Identifier: Apache-2.0 */
#include "control/chores.h"

#include "control/taas_claim.h"

enum {
    NAMING_S = 2,  /* a port that comes waits no longer for its alias */
    BINDING_S = 1, /* a claim waits no longer for an interface that has come */
};

/* A failure is told once: a full disk would be told every two seconds. */
static void told(struct chores *c, int r, const char *what, const struct error *err)
{
    char words[400];
    if (r < 0 && !c->said) {
        (void)snprintf(words, sizeof(words), "%s: %s", what, err->text);
        c->conf.say(c->conf.user, words);
    }
    c->said = r < 0;
}

static void on_naming(struct loop *l, struct mono now, void *user)
{
    struct chores *c = user;
    struct error err = {""};
    (void)l;
    (void)now;
    c->conf.settle(c->conf.user);
    int r = opentap_name_ports(c->conf.retain.store, c->conf.opentap, &err);
    told(c, r, "ports get no aliases", &err);
}

static void on_binding(struct loop *l, struct mono now, void *user)
{
    struct chores *c = user;
    struct error err = {""};
    (void)l;
    (void)now;
    c->conf.settle(c->conf.user);
    const int r = claims_bind(c->conf.retain.store, wall_now().ns, &err);
    if (r > 0) {
        c->conf.changed(c->conf.user);
    }
    told(c, r, "claimed ports get no interfaces", &err);
}

static void on_retaining(struct loop *l, struct mono now, void *user)
{
    struct chores *c = user;
    struct error err = {""};
    (void)l;
    (void)now;
    c->conf.settle(c->conf.user);
    int r = retain_look(&c->conf.retain, wall_now().ns, &err);
    told(c, r, "old captures are not deleted", &err);
}

int chores_start(struct chores *c, const struct chores_conf *conf, struct mono now)
{
    *c = (struct chores){.conf = *conf};
    int r = loop_add_timer(conf->loop, mono_add_ms(now, conf->retain_after_ms),
                           RETAIN_S * NSEC_PER_SEC, on_retaining, c, &c->retaining);
    if (r == 0) {
        r = loop_add_timer(conf->loop, now, BINDING_S * NSEC_PER_SEC, on_binding, c, &c->binding);
    }
    if (r == 0 && conf->opentap) {
        r = loop_add_timer(conf->loop, now, NAMING_S * NSEC_PER_SEC, on_naming, c, &c->naming);
    }
    return r;
}

void chores_become(struct chores *c, int64_t age_ns, const struct opentap_conf *opentap)
{
    c->conf.retain.retention.age_ns = age_ns;
    c->conf.opentap = opentap;
}

void chores_stop(struct chores *c)
{
    loop_del_timer(c->conf.loop, c->naming);
    loop_del_timer(c->conf.loop, c->binding);
    loop_del_timer(c->conf.loop, c->retaining);
}
