/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin from before get_extension: what lies behind its table is no function. */
#include "fake_plugin.h"

FAKE_PLUGIN(table.struct_size = offsetof(ha_plugin_api, get_extension);
            memset(&table.get_extension, 0xA5, sizeof table.get_extension))
