/* SPDX-License-Identifier: Apache-2.0 */
/* Some shared library that is no plugin. */
int some_other_function(void);
int some_other_function(void) { return 0; }
