/* Cannot be stopped. */
#include "fake_plugin.h"

FAKE_PLUGIN(table.stop = NULL)
