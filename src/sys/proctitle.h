/* SPDX-License-Identifier: Apache-2.0
 *
 * A passphrase on the command line can be read by everyone on the host, in the process list. It is
 * wiped from there as soon as it has been copied: what was read before, nobody can take back, so a
 * key file is better.
 */
#pragma once

/* Overwrites the string `secret`, a part of an argument or of an environment variable's value as
 * the kernel gave it to the program (getopt's optarg, getenv), up to its end. One '*' is left, as a
 * mark that something stood there, followed by zeros. Copy it first. Takes NULL. */
void proctitle_wipe_value(char *secret);

/* For those who only have the whole argument: wipes the secret in "-kSECRET" and "--key=SECRET",
 * and everything in an argument without a dash. A secret that is an argument of its own may begin
 * with a dash itself: give that one to proctitle_wipe_value. Takes NULL. */
void proctitle_wipe_arg(char *arg);
