# Read by ctest: the labels of the tests that do not run under sanitizers.
if(system_tests_nosan)
  set_tests_properties(${system_tests_nosan} PROPERTIES LABELS "system;nosan")
endif()
