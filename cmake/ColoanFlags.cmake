# One place for what every target is compiled with. Warnings are errors; hardening follows the OpenSSF compiler guide as far as
# gcc 12 and clang 14 know it.
option(COLOAN_TESTS "Build the tests" ON)
option(COLOAN_FUZZ "Build the libFuzzer targets (clang)" OFF)
set(COLOAN_SANITIZE "" CACHE STRING "Sanitizers, e.g. address,undefined or thread")

# Programs are position independent (-fPIE, -pie); the libraries are -fPIC, so that others can put libcoloan into shared objects.
# Without interposition the compiler may still inline and call directly.
include(CheckCCompilerFlag)
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# A second build of the same files costs nothing where ccache is installed.
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(coloan_flags INTERFACE)
target_include_directories(coloan_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(coloan_flags INTERFACE _GNU_SOURCE)
target_compile_options(coloan_flags INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wformat=2 -Wconversion -Wsign-conversion -Wshadow -Wswitch-enum -Wimplicit-fallthrough
  -Wvla -Wundef -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
  -Werror=format-security -Werror=implicit -Werror=incompatible-pointer-types -Werror=int-conversion
  -fstack-protector-strong -fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing
  -fexceptions -fno-semantic-interposition
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -ffile-prefix-map=${CMAKE_BINARY_DIR}/=build/)
check_c_compiler_flag(-ftrivial-auto-var-init=zero COLOAN_HAS_AUTO_VAR_INIT) # clang knows it from 16 on
if(COLOAN_HAS_AUTO_VAR_INIT)
  set(COLOAN_AUTO_VAR_INIT -ftrivial-auto-var-init=zero)
  target_compile_options(coloan_flags INTERFACE ${COLOAN_AUTO_VAR_INIT})
endif()
if(CMAKE_C_COMPILER_ID STREQUAL "GNU") # clang would also warn of casts in protobuf-c's generated macros
  target_compile_options(coloan_flags INTERFACE -Wcast-qual -Wtrampolines -Wbidi-chars=any -Wduplicated-cond -Wlogical-op)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64")
  target_compile_options(coloan_flags INTERFACE -fcf-protection=full)
endif()
# -z nodlopen is left out on purpose: it is for shared objects, we install none, and OpenSSL must go on loading its providers.
# tests/packaging/test_hardening.sh looks for all of these in what was built.
target_link_options(coloan_flags INTERFACE
  -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,-z,defs -Wl,--as-needed -Wl,--no-copy-dt-needed-entries)

if(COLOAN_SANITIZE)
  target_compile_options(coloan_flags INTERFACE -fsanitize=${COLOAN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(coloan_flags INTERFACE -fsanitize=${COLOAN_SANITIZE})
else()
  target_compile_options(coloan_flags INTERFACE -fstack-clash-protection)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    target_compile_options(coloan_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  endif()
endif()

# Coverage inside the libraries is what leads libFuzzer; tests/fuzz/negative.c shows that it is there.
if(COLOAN_FUZZ)
  target_compile_options(coloan_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Generated code is not ours to warn about.
add_library(coloan_generated_flags INTERFACE)
target_compile_options(coloan_generated_flags INTERFACE -w ${COLOAN_AUTO_VAR_INIT} -fstack-protector-strong -fno-semantic-interposition
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -ffile-prefix-map=${CMAKE_BINARY_DIR}/=build/)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64")
  target_compile_options(coloan_generated_flags INTERFACE -fcf-protection=full) # one file without it turns it off for the program
endif()
if(NOT COLOAN_SANITIZE)
  target_compile_options(coloan_generated_flags INTERFACE -fstack-clash-protection)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    target_compile_options(coloan_generated_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  endif()
endif()
if(COLOAN_SANITIZE)
  target_compile_options(coloan_generated_flags INTERFACE -fsanitize=${COLOAN_SANITIZE} -fno-omit-frame-pointer)
endif()

# Assertions stay on in every build.
foreach(config RELEASE RELWITHDEBINFO MINSIZEREL)
  string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_${config} "${CMAKE_C_FLAGS_${config}}")
endforeach()
