# Every foreign library as an imported target coloan::<name>. Only the module that owns a library links it.
find_package(PkgConfig REQUIRED)

function(coloan_package name module)
  pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${module})
  add_library(coloan::${name} ALIAS PkgConfig::${name})
endfunction()

coloan_package(protobuf_c libprotobuf-c)
coloan_package(sodium "libsodium>=1.0.18")
coloan_package(openssl "openssl>=3.0")
coloan_package(sqlite "sqlite3>=3.37")
coloan_package(pq "libpq>=15")
coloan_package(curl libcurl)
coloan_package(microhttpd libmicrohttpd)
coloan_package(jansson jansson)
coloan_package(yaml yaml-0.1)
coloan_package(gmp gmp)
if(COLOAN_TESTS)
  coloan_package(cmocka cmocka)
endif()

# Debian's grpc.pc names some forty absl libraries that a shared link does not need.
pkg_check_modules(grpc REQUIRED grpc)
find_library(COLOAN_GRPC_LIBRARY grpc REQUIRED HINTS ${grpc_LIBRARY_DIRS})
find_library(COLOAN_GPR_LIBRARY gpr REQUIRED HINTS ${grpc_LIBRARY_DIRS})
add_library(coloan_grpc INTERFACE)
target_include_directories(coloan_grpc SYSTEM INTERFACE ${grpc_INCLUDE_DIRS})
target_link_libraries(coloan_grpc INTERFACE ${COLOAN_GRPC_LIBRARY} ${COLOAN_GPR_LIBRARY})
add_library(coloan::grpc ALIAS coloan_grpc)

find_package(Threads REQUIRED)
find_program(PROTOC_C protoc-c REQUIRED)
find_program(PROTOC protoc REQUIRED)
