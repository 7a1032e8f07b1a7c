/* SPDX-License-Identifier: Apache-2.0 */
/* The fake with nothing wrong: what the checking host finds in the others is theirs alone. */
#include "fake_plugin.h"

FAKE_PLUGIN()
