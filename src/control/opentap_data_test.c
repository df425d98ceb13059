/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenTap's call for data, in each state of each type: each answer byte for byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "control/test_opentap.h"
#include "proto/ipfix.h"

#define MAC "00:00:00:00:00:00"
#define LABELS "0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0,0-0-0"
#define REST                                                                                       \
    ",0,0,0,0,0,0,0,0,0,0,0.0.0.0,0.0.0.0,0,0," MAC "," MAC "," MAC "," MAC "," LABELS             \
    ",    0.000,    0.000,    0.000,0.0.0.0,0/0,1,1970-01-01 00:00:00.000\n"
#define HEAD                                                                                       \
    "ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt,in,out,sas,das,smk,dmk,dtos,dir,"    \
    "nh,nhb,svln,dvln,ismc,odmc,idmc,osmc,mpls1,mpls2,mpls3,mpls4,mpls5,mpls6,mpls7,mpls8,mpls9,"  \
    "mpls10,cl,sl,al,ra,eng,exid,tr\n"
#define SUMS "Summary\nflows,bytes,packets,avg_bps,avg_pps,avg_bpp\n"

#define TIMES "start=1800000000&stop=1800000010"

/* ---- retrieve ---- */

/* The capture 5, which clients know as "mine". */
static void set(struct fixture *f, const char *type, const char *state, size_t published)
{
    struct object o;
    world_object(&o, &kind_capture, 5, "local", "bob");
    assert_int_equal(object_set_text(&o, CAPTURE_F_TYPE, type), 0);
    assert_int_equal(object_set_text(&o, CAPTURE_F_POINTS, "[\"eth0\"]"), 0);
    assert_int_equal(object_set_text(&o, CAPTURE_F_STATE, state), 0);
    assert_int_equal(object_set_text(&o, CAPTURE_F_OPENTAP_ID, "mine"), 0);
    object_set_int(&o, CAPTURE_F_BYTES, (int64_t)published);
    if (strcmp(state, "failed") == 0) {
        assert_int_equal(object_set_text(&o, CAPTURE_F_REASON, "the disk was full"), 0);
    }
    world_put(&f->w, &o);
    object_done(&o);
}

static void not_ready(void **state)
{
    struct fixture *f = *state;
    refused(f, "/retrieve?id=mine", NOT_READY);
    refused(f, "/retrieve?id=..%2f..%2fetc%2fpasswd", NOT_READY);
    refused(f, "/retrieve?id=00000000-0000-7000-8000-000000000005", NOT_READY);
    refused(f, "/retrieve", "id is missing");
    refused(f, "/retrieve?id=", "id is missing");
    set(f, "netflow", "scheduled", 0);
    refused(f, "/retrieve?id=mine", NOT_READY);
    f->w.open = -ENOENT;
    set(f, "ethernet", "running", 0);
    refused(f, "/retrieve?id=mine", NOT_READY);
    set(f, "ethernet", "failed", 0);
    refused(f, "/retrieve?id=mine", "data file not found; the disk was full");
    f->w.open = -EIO;
    refused(f, "/retrieve?id=mine", "the data cannot be opened now: no file");
}

static void rows(void **state)
{
    struct fixture *f = *state;
    f->w.file = "time,state\n1000,1\n2000,1\n";
    set(f, "ethernet", "running", 0);
    assert_string_equal(get_as(f, "text/csv", "/retrieve?id=mine"), "");
    set(f, "ethernet", "running", 18);
    assert_string_equal(get_as(f, "text/csv", "/retrieve?id=mine"), "time,state\n1000,1\n");
    set(f, "ethernet", "done", 25);
    assert_string_equal(get_as(f, "text/csv", "/retrieve?id=mine"), f->w.file);
    assert_string_equal(get_as(f, "text/csv", "/retrieve?id=00000000-0000-7000-8000-000000000005"),
                        f->w.file);
    assert_int_equal(ask(&f->w, HTTP_GET, "/v1/audit", NULL), 200);
    assert_true(body_has(&f->w, "capture.downloaded"));
}

/* A message with the templates, and one with a flow of two directions. */
static void write_flows(struct fixture *f, uint8_t bytes[2 * IPFIX_MESSAGE], size_t *ret_templates)
{
    const struct flowrec web = {
        .first_ns = 1794489280511000000,
        .last_ns = 1794489284761999999,
        .packets = 5,
        .bytes = 700,
        .addr = {{10, 0, 0, 1}, {10, 0, 0, 2}},
        .port = {40000, 80},
        .version = 4,
        .proto = 6,
        .tcp_flags = 0x18,
        .biflow = FLOWREC_INITIATOR,
        .reverse = {5, 2200, 1794489280511000000, 1794489284761999999, 0, 0x18}};
    struct ipfix m;
    ipfix_init_with(&m, 1, IPFIX_TUNNEL | IPFIX_BIFLOW | IPFIX_NS);
    assert_true(ipfix_templates(&m));
    size_t n = ipfix_end(&m);
    memcpy(bytes, m.sets.bytes, n);
    *ret_templates = n;
    assert_true(ipfix_add(&m, &web));
    f->w.file_len = n + ipfix_end(&m);
    memcpy(bytes + n, m.sets.bytes, f->w.file_len - n);
    f->w.file = (const char *)bytes;
}

static const char no_flows[] = HEAD SUMS "0,0,0,0,0,0\n";

/* nfdump's lines for these flows (shared sample), an hour later. */
static const char two_flows[] = HEAD
    "2026-11-12 14:14:40.511,2026-11-12 14:14:44.761,4.250,10.0.0.1,10.0.0.2,40000,80,TCP,.AP...,"
    "0,0,5,700" REST
    "2026-11-12 14:14:40.511,2026-11-12 14:14:44.761,4.250,10.0.0.2,10.0.0.1,80,40000,TCP,.AP...,"
    "0,0,5,2200" REST SUMS "2,2900,10,5458,2,290\n";

static void flows(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[2 * IPFIX_MESSAGE];
    size_t templates = 0;
    f->w.snapshot = -EOPNOTSUPP;
    write_flows(f, bytes, &templates);
    set(f, "netflow", "running", 0);
    assert_string_equal(get_as(f, "text/csv", "/retrieve?id=mine"), no_flows);
    set(f, "netflow", "running", templates);
    assert_string_equal(get_as(f, "text/csv", "/retrieve?id=mine"), no_flows);
    set(f, "netflow", "running", f->w.file_len - 1); /* not whole yet */
    assert_string_equal(get_as(f, "text/csv", "/retrieve?id=mine"), no_flows);
    set(f, "netflow", "running", f->w.file_len);
    assert_string_equal(get_as(f, "text/csv", "/retrieve?id=mine"), two_flows);
    set(f, "netflow", "done", f->w.file_len);
    assert_string_equal(get_as(f, "text/csv", "/retrieve?id=mine"), two_flows);
    set(f, "netflow", "done", templates);
    assert_string_equal(get_as(f, "text/csv", "/retrieve?id=mine"), no_flows);
    f->settings.offset_ns = NULL;
    set(f, "netflow", "done", f->w.file_len);
    assert_non_null(
        strstr(get_as(f, "text/csv", "/retrieve?id=mine"), "\n2026-11-12 13:14:40.511,"));
    bytes[1] = 9;
    refused(f, "/retrieve?id=mine", "the data cannot be given: the capture's file is damaged");
}

static void opened_later(void **state)
{
    struct fixture *f = *state;
    const struct http_request r = request_of(HTTP_GET, "/retrieve?id=mine", NULL, &peer_root, NULL);
    f->w.file = "time\n1\n";
    set(f, "ethernet", "done", 7);
    f->w.open = -EAGAIN;
    api_request(f->w.api, &r, world_reply, &f->w);
    api_commit(f->w.api);
    assert_int_equal(f->w.answers, 0);
    f->w.open = 0;
    api_wake(f->w.api, f->w.waiter);
    api_commit(f->w.api);
    assert_string_equal(body(f), "time\n1\n");
}

static void packets(void **state)
{
    struct fixture *f = *state;
    f->w.file = "";
    set(f, "packet", "done", 0);
    (void)get_as(f, "application/vnd.tcpdump.pcap", "/retrieve?id=mine");
    assert_int_equal((uint8_t)f->body[0], 0x4d); /* nanoseconds */
    f->w.file = "no capture file";
    set(f, "packet", "done", 15);
    refused(f, "/retrieve?id=mine", "the data cannot be given: the capture's file is damaged");
}

static void of_others(void **state)
{
    struct fixture *f = *state;
    struct object o;
    world_object(&o, &kind_capture, 6, "red", "bob");
    assert_int_equal(object_set_text(&o, CAPTURE_F_TYPE, "ethernet"), 0);
    assert_int_equal(object_set_text(&o, CAPTURE_F_STATE, "done"), 0);
    assert_int_equal(object_set_text(&o, CAPTURE_F_OPENTAP_ID, "theirs"), 0);
    world_put(&f->w, &o);
    object_done(&o);
    refused(f, "/retrieve?id=theirs", NOT_READY);
    assert_string_equal(get(f, "/capture"),
                        "{\"version\":\"0.1\",\"links\":[\"web\"],\"sessions\":{}}\n");
    assert_non_null(strstr(get(f, "/capture/netflow?" TIMES "&id=theirs"), "\"id\":\"theirs\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(not_ready, enter, leave),
        cmocka_unit_test_setup_teardown(rows, enter, leave),
        cmocka_unit_test_setup_teardown(flows, enter, leave),
        cmocka_unit_test_setup_teardown(opened_later, enter, leave),
        cmocka_unit_test_setup_teardown(packets, enter, leave),
        cmocka_unit_test_setup_teardown(of_others, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
