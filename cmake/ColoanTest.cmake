# coloan_test(<name> LIBS <targets...> [LABELS <labels...>] [ENV <VAR=value...>])
# Builds <name>.c of this folder with cmocka and registers it with ctest.
# Label "grpc": calls into gRPC, whose locks ThreadSanitizer does not see; `./dev test tsan` leaves these out.
function(coloan_test name)
  cmake_parse_arguments(ARG "" "" "LIBS;LABELS;ENV;SOURCES" ${ARGN})
  add_executable(${name} ${name}.c ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE coloan_flags ${ARG_LIBS} coloan::cmocka)
  target_compile_definitions(${name} PRIVATE COLOAN_SOURCE_DIR="${CMAKE_SOURCE_DIR}" COLOAN_BINARY_DIR="${CMAKE_BINARY_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 120 LABELS "${ARG_LABELS}" ENVIRONMENT "${ARG_ENV}")
endfunction()

# Where the PostgreSQL server is that the tests of a run share; ctest starts and stops it by itself (tests/support).
set(COLOAN_TEST_POSTGRES ${CMAKE_BINARY_DIR}/tests/postgres.where)

# coloan_needs_postgres(<names...>): these tests, as they are, use that server.
function(coloan_needs_postgres)
  foreach(name ${ARGN})
    set_tests_properties(${name} PROPERTIES TIMEOUT 300 FIXTURES_REQUIRED postgres
                         ENVIRONMENT "COLOAN_TEST_POSTGRES=${COLOAN_TEST_POSTGRES}")
  endforeach()
endfunction()

# coloan_on_postgres(<names...>): runs these tests once more, each as <name>_postgres, with their stores on PostgreSQL.
function(coloan_on_postgres)
  foreach(name ${ARGN})
    add_test(NAME ${name}_postgres COMMAND ${name})
    get_property(labels TEST ${name} PROPERTY LABELS) # tsan leaves some out
    set_tests_properties(${name}_postgres PROPERTIES LABELS "${labels};postgres")
    coloan_needs_postgres(${name}_postgres)
  endforeach()
endfunction()

# coloan_fuzzer(<name> LIBS <targets...>)
# Builds <name>.c, which defines LLVMFuzzerTestOneInput, twice: with libFuzzer when COLOAN_FUZZ is on, and always with a plain
# driver that replays tests/fuzz/corpus/<name> as a normal test.
function(coloan_fuzzer name)
  cmake_parse_arguments(ARG "" "" "LIBS" ${ARGN})
  if(COLOAN_FUZZ)
    add_executable(${name} ${name}.c)
    target_link_libraries(${name} PRIVATE coloan_flags ${ARG_LIBS})
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  endif()
  add_executable(${name}_replay ${name}.c ${CMAKE_SOURCE_DIR}/tests/fuzz/replay.c)
  target_link_libraries(${name}_replay PRIVATE coloan_flags ${ARG_LIBS})
  add_test(NAME ${name}_replay COMMAND ${name}_replay ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
  set_tests_properties(${name}_replay PROPERTIES TIMEOUT 60 LABELS "fuzz")
endfunction()

# coloan_script_test(<name> [ARGS <arguments...>] [LABELS <labels...>] [TIMEOUT <seconds>])
# Registers <name>.sh of this folder; it ends with 0 when everything held.
function(coloan_script_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "ARGS;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_test(NAME ${name} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/${name}.sh ${ARG_ARGS})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
endfunction()
