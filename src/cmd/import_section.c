/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/import_section.h"

#include <inttypes.h>

#include "base/parse.h"

const char *section_value(const struct section *s, enum ivtap_setting setting)
{
    return s->t->of[setting].value;
}

bool section_put(const struct section *s, enum ivtap_setting setting, const char *ours,
                 const char *value, const char *how)
{
    struct error err = {""};
    if (import_check(s->table, ours, value, &err) < 0) {
        section_leave_out(s, setting, ours, err.text);
        return false;
    }
    import_comment("%s = %s%s", ivtap_name(setting), section_value(s, setting), how);
    import_setting(ours, value);
    return true;
}

void section_missing(const struct section *s, enum ivtap_setting setting, const char *ours)
{
    const unsigned line = s->t->of[setting].line;
    import_mistake(s->m, line, "%s %s: %s is left out", ivtap_name(setting),
                   line > 0 ? "has no value" : "is missing", ours);
}

void section_leave_out(const struct section *s, enum ivtap_setting setting, const char *ours,
                       const char *why)
{
    import_mistake(s->m, s->t->of[setting].line, "%s: %s: %s is left out", ivtap_name(setting), why,
                   ours);
}

bool section_number(const struct section *s, enum ivtap_setting setting, const char *ours,
                    uint64_t min, uint64_t max, uint64_t *ret)
{
    const char *value = section_value(s, setting);
    if (!value) {
        section_missing(s, setting, ours);
        return false;
    }
    if (parse_u64(value, "", min, max, ret, NULL) < 0) {
        import_mistake(s->m, s->t->of[setting].line,
                       "%s is a whole number from %u to %u, not \"%.40s\": %s is left out",
                       ivtap_name(setting), (unsigned)min, (unsigned)max, value, ours);
        return false;
    }
    return true;
}

void section_seconds(const struct section *s, enum ivtap_setting setting, const char *ours,
                     uint64_t seconds, const char *how)
{
    char value[32];
    uint32_t ms = 0;
    struct error err = {""};
    snprintf(value, sizeof(value), "%" PRIu64 "s", seconds);
    if (parse_ms(value, ours, 1, UINT32_MAX, &ms, &err) < 0) {
        section_leave_out(s, setting, ours, err.text);
    } else {
        section_put(s, setting, ours, value, how);
    }
}

void section_key(const struct section *s, const char *key_file)
{
    if (key_file) {
        import_comment("--key-file, as ivTAP has no key");
        import_setting("key-file", key_file);
    } else {
        import_comment("key-file has to be added here, as ivTAP has no key");
        import_mistake(s->m, 0,
                       "ivTAP has no key: add one by --key-file FILE, or identity and peer "
                       "to what was printed");
    }
}
