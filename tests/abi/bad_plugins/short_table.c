/* SPDX-License-Identifier: Apache-2.0 */
/* Says that its table ends after the version: shorter than any version of the interface. */
#include "fake_plugin.h"

FAKE_PLUGIN(table.struct_size = offsetof(ha_plugin_api, create))
