/* SPDX-License-Identifier: Apache-2.0 */
/* Cannot be stopped. */
#include "fake_plugin.h"

FAKE_PLUGIN(table.stop = NULL)
