/* SPDX-License-Identifier: Apache-2.0
 *
 * Properties that the table of every kind has, so that no reader of a table has to ask for them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "model/kinds.h"

enum {
    GIVEN = FIELD_CREATE | FIELD_CHANGE | FIELD_MUST,
};

/* Small letters, digits and underscores, as in JSON, queries and columns. */
static void check_name(const char *name)
{
    assert_true(strlen(name) > 0 && strlen(name) < 24);
    assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789"), strlen(name));
}

static void check_words(const struct field *f)
{
    const char *at;
    size_t len = 0;
    unsigned n = 0;
    assert_int_equal(f->words != NULL, f->type == FIELD_WORD);
    for (; (at = field_word_at(f, n, &len)); n++) {
        char word[64];
        assert_true(len > 0 && len < sizeof(word));
        snprintf(word, sizeof(word), "%.*s", (int)len, at);
        assert_int_equal(field_word(f, word), n); /* also: no word stands there twice */
    }
    assert_true(f->type != FIELD_WORD || n >= 2);
}

static void check_field(const struct field *f)
{
    struct value v = {0};
    struct error err = {""};
    check_name(f->name);
    check_words(f);
    assert_non_null(f->help);
    assert_true(text_is_clean(f->help) && f->help[0]);
    assert_true(f->min <= f->max);
    if (f->dflt) {
        assert_false(f->flags & (FIELD_NULL | FIELD_MUST)); /* else null could not be told apart */
        assert_int_equal(field_parse(f, f->dflt, &v, &err), 0);
        assert_int_equal(field_check(f, &v, NULL), 0);
        value_done(&v);
    }
    assert_false(f->flags & FIELD_MUST && !(f->flags & FIELD_CREATE));
    if (f->flags & FIELD_HIDDEN) {
        assert_false(f->flags & (GIVEN | FIELD_SORT));
        assert_null(f->title);
    }
    if (f->type == FIELD_JSON) {
        assert_false(f->flags & (GIVEN | FIELD_FILTER | FIELD_SORT));
    }
    if (field_is_text(f) && f->flags & GIVEN) {
        assert_true(f->type == FIELD_WORD || f->type == FIELD_ID || f->max > 0); /* bounded */
        assert_true(f->max <= KIND_TEXT_MAX);
    }
    assert_true(!f->check || f->type == FIELD_TEXT);
}

static void check_common(const struct kind *k)
{
    static const struct field common[] = {KIND_COMMON};
    assert_int_equal(ARRAY_SIZE(common), FIELDS_COMMON);
    assert_true(k->n > FIELDS_COMMON && k->n <= KIND_FIELDS);
    for (size_t i = 0; i < FIELDS_COMMON; i++) {
        assert_string_equal(k->field[i].name, common[i].name);
        assert_int_equal(k->field[i].type, common[i].type);
        const unsigned more = i == FIELD_OF_PROJECT ? FIELD_CHANGE : 0; /* of a kind that moves */
        assert_int_equal(k->field[i].flags & ~more, common[i].flags);
    }
    assert_string_equal(k->field[FIELD_OF_ID].name, "id");
    assert_string_equal(k->field[FIELD_OF_PROJECT].name, "project");
    assert_string_equal(k->field[FIELD_OF_OWNER].name, "owner");
    assert_string_equal(k->field[FIELD_OF_GENERATION].name, "generation");
    assert_string_equal(k->field[FIELD_OF_CREATED].name, "created");
}

static void test_tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        const struct kind *k = kinds[i];
        check_name(k->name);
        check_name(k->plural);
        check_common(k);
        for (size_t j = 0; j < k->n; j++) {
            check_field(&k->field[j]);
            assert_int_equal(kind_find(k, k->field[j].name), j); /* also: names are unique */
        }
        assert_ptr_equal(kinds_find(k->name), k); /* likewise */
        assert_ptr_equal(kinds_find(k->plural), k);
    }
    assert_null(kinds_find("capturess"));
}

/* An object of nothing but defaults has what a client cannot be asked for. */
static void test_defaults(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct object o;
        object_init(&o, kinds[i]);
        assert_int_equal(object_defaults(&o, NULL), 0);
        for (size_t j = 0; j < kinds[i]->n; j++) {
            assert_int_equal(o.v[j].set, kinds[i]->field[j].dflt != NULL);
        }
        object_done(&o);
    }
}

static void same_word(const struct kind *k, unsigned field, unsigned place, const char *word)
{
    assert_int_equal(field_word(&k->field[field], word), place);
}

static void test_numbers(void **state)
{
    (void)state;
    same_word(&kind_capture, CAPTURE_F_TYPE, CAPTURE_PACKET, "packet");
    same_word(&kind_capture, CAPTURE_F_TYPE, CAPTURE_ETHERNET, "ethernet");
    same_word(&kind_capture, CAPTURE_F_STATE, CAPTURE_SCHEDULED, "scheduled");
    same_word(&kind_capture, CAPTURE_F_STATE, CAPTURE_CANCELLED, "cancelled");
    same_word(&kind_token, TOKEN_F_ROLE, TOKEN_READ, "read");
    same_word(&kind_token, TOKEN_F_ROLE, TOKEN_ADMIN, "admin");
    assert_int_equal(kind_find(&kind_capture, "opentap_id"), CAPTURE_F_OPENTAP_ID);
    assert_int_equal(kind_find(&kind_token, "hash"), TOKEN_F_HASH);
    assert_int_equal(kind_find(&kind_port, "seen"), PORT_F_SEEN);
}

static void test_columns_of_captures(void **state)
{
    char titles[160] = "";
    (void)state;
    for (size_t i = 0, n = 0; i < kind_capture.n; i++) {
        const char *title = kind_capture.field[i].title;
        if (title) {
            n += (size_t)snprintf(titles + n, sizeof(titles) - n, "%s ", title);
        }
    }
    assert_string_equal(titles, "ID TYPE POINTS START STATE FRAMES SIZE ");
}

static void test_key_of_port(void **state)
{
    uint8_t one[PORT_KEY], other[PORT_KEY];
    (void)state;
    int n = port_key("a", "bc", "eth0", one, sizeof(one));
    assert_int_equal(n, 2 + 3 + 5);
    assert_memory_equal(one, "a\0bc\0eth0\0", 10);
    assert_int_equal(port_key("ab", "c", "eth0", other, sizeof(other)), n);
    assert_memory_not_equal(one, other, 10);
    assert_int_equal(port_key("a", "bc", "eth0", one, 9), -EMSGSIZE);
    assert_int_equal(port_key("a", "bc", "eth0", one, 10), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),      cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_numbers),     cmocka_unit_test(test_columns_of_captures),
        cmocka_unit_test(test_key_of_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
