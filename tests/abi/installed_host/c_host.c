/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the installed plugin who it is, from C. */
#include <dlfcn.h>
#include <stdio.h>

#include "ha/ext/append_reserve.h"
#include "ha/ext/segment_fd.h"
#include "ha/ext/thread_lifecycle.h"
#include "ha/plugin.h"

int main(void) {
  void* library = dlopen(PLUGIN, RTLD_NOW | RTLD_LOCAL);
  ha_plugin_entry_fn entry = NULL;
  if (library != NULL) *(void**)&entry = dlsym(library, HA_ENTRY_NAME);
  if (entry == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  const ha_host_api empty = {.struct_size = sizeof empty};
  ha_error error = {.struct_size = sizeof error};
  if (entry(&empty, &error) != NULL || error.status != HA_VERSION) return 1;
  printf("refused as it should: %s\n", error.text);
  return 0;
}
