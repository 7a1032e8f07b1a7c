# Read by ctest: which tests are for `./run interop` alone.
if(interop_tests_short)
  set_tests_properties(${interop_tests_short} PROPERTIES LABELS "interop;nosan")
endif()
if(interop_tests_long)
  set_tests_properties(${interop_tests_long} PROPERTIES LABELS "interop;long;nosan")
endif()
