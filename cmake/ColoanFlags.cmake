# One place for what every target is compiled with. Warnings are errors; hardening follows the OpenSSF compiler guide as far as
# gcc 12 and clang 14 know it.
option(COLOAN_TESTS "Build the tests" ON)
option(COLOAN_FUZZ "Build the libFuzzer targets (clang)" OFF)
set(COLOAN_SANITIZE "" CACHE STRING "Sanitizers, e.g. address,undefined or thread")

add_library(coloan_flags INTERFACE)
target_include_directories(coloan_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(coloan_flags INTERFACE _GNU_SOURCE)
target_compile_options(coloan_flags INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wformat=2 -Wconversion -Wsign-conversion -Wshadow -Wswitch-enum -Wimplicit-fallthrough
  -Wvla -Wundef -Wpointer-arith -Wcast-qual -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
  -Werror=format-security -Werror=implicit -Werror=incompatible-pointer-types -Werror=int-conversion
  -fstack-protector-strong -fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing
  -ftrivial-auto-var-init=zero -fexceptions -fPIE -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(coloan_flags INTERFACE -Wtrampolines -Wbidi-chars=any -Wduplicated-cond -Wlogical-op)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64")
  target_compile_options(coloan_flags INTERFACE -fcf-protection=full)
endif()
target_link_options(coloan_flags INTERFACE
  -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed -Wl,--no-copy-dt-needed-entries)

if(COLOAN_SANITIZE)
  target_compile_options(coloan_flags INTERFACE -fsanitize=${COLOAN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(coloan_flags INTERFACE -fsanitize=${COLOAN_SANITIZE})
else()
  target_compile_options(coloan_flags INTERFACE -fstack-clash-protection)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    target_compile_options(coloan_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  endif()
endif()

# Generated code is not ours to warn about.
add_library(coloan_generated_flags INTERFACE)
target_compile_options(coloan_generated_flags INTERFACE -w -fPIE -fstack-protector-strong -ftrivial-auto-var-init=zero)
if(COLOAN_SANITIZE)
  target_compile_options(coloan_generated_flags INTERFACE -fsanitize=${COLOAN_SANITIZE} -fno-omit-frame-pointer)
endif()

# Assertions stay on in every build.
foreach(config RELEASE RELWITHDEBINFO MINSIZEREL)
  string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_${config} "${CMAKE_C_FLAGS_${config}}")
endforeach()
