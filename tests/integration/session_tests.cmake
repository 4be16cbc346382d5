# Tests that need running servers: `benchfs up` and the programs that work in a session.

add_library(benchfs_test_cluster STATIC support/caretaker.cpp support/cluster.cpp
  support/command.cpp support/nodes.cpp support/sanitizer_reports.cpp)
target_include_directories(benchfs_test_cluster PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(benchfs_test_cluster PUBLIC benchfs_launcher PRIVATE benchfs_rules)
target_compile_definitions(benchfs_test_cluster PRIVATE BENCHFS_TOOL="$<TARGET_FILE:benchfs_tool>")
add_dependencies(benchfs_test_cluster benchfs_tool benchfsd)

add_executable(with_session support/with_session.cpp)
target_link_libraries(with_session PRIVATE benchfs_test_cluster benchfs_rules)

add_executable(integration_launcher_test integration/launcher_test.cpp)
target_link_libraries(integration_launcher_test PRIVATE
  benchfs_test_cluster benchfs_rules GTest::gtest_main)
gtest_discover_tests(integration_launcher_test TEST_PREFIX "integration.shm."
  PROPERTIES LABELS integration TIMEOUT 300 RESOURCE_LOCK servers)

# benchfs_live_test(<file>): tests that bring their own servers up, and do to them what no user would.
function(benchfs_live_test file)
  add_executable(integration_${file}_test integration/${file}_test.cpp)
  target_link_libraries(integration_${file}_test PRIVATE benchfs_test_cluster benchfs::client
    benchfs::net benchfs::wire benchfs::placement benchfs::session benchfs::journal benchfs_rules GTest::gtest_main)
  target_compile_definitions(integration_${file}_test PRIVATE
    BENCHFS_SERVER="$<TARGET_FILE:benchfsd>" BENCHFS_MPIRUN="${MPIEXEC_EXECUTABLE}")
  gtest_discover_tests(integration_${file}_test TEST_PREFIX "integration."
    PROPERTIES LABELS integration TIMEOUT 300 RESOURCE_LOCK servers)
endfunction()

benchfs_live_test(harness)
benchfs_live_test(faults)
benchfs_live_test(restart)
benchfs_live_test(bad_message)
benchfs_live_test(bad_input)
benchfs_live_test(limits)

# The real server over a drive that fails when a test says so. Its name is what `benchfs` knows servers by.
add_executable(benchfs_faulty_server ${PROJECT_SOURCE_DIR}/src/server/main.cpp support/faulty_server.cpp)
set_source_files_properties(support/faulty_server.cpp PROPERTIES COMPILE_OPTIONS -fno-exceptions)
set_target_properties(benchfs_faulty_server PROPERTIES
  OUTPUT_NAME benchfsd RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/faulty)
target_include_directories(benchfs_faulty_server PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(benchfs_faulty_server PRIVATE benchfs::server benchfs_rules)
set(data_file_call ERNS_4loop9EventLoopERKNS0_15DataFileOptionsEPNS0_10BufferPoolE)
target_link_options(benchfs_faulty_server PRIVATE
  LINKER:--wrap=_ZN7benchfs2io16create_data_file${data_file_call}
  LINKER:--wrap=_ZN7benchfs2io14open_data_file${data_file_call}
  LINKER:--wrap=pread,--wrap=pwrite)

benchfs_live_test(link)
benchfs_live_test(read_only)
foreach(file IN ITEMS drive slow_drive)
  benchfs_live_test(${file})
  target_compile_definitions(integration_${file}_test PRIVATE
    BENCHFS_FAULTY_SERVER="$<TARGET_FILE:benchfs_faulty_server>")
  add_dependencies(integration_${file}_test benchfs_faulty_server)
endforeach()

# benchfs_session_test(<name> PROGRAM <target> [ARGUMENTS <word...>] [RANKS <n>] [SERVERS <n...>] [TLS <tls...>]
#                      [LABEL <label>] [TIMEOUT <s>])
#
# Runs the program once for each number of servers (default: 1 2 3 5; over tcp 2 5, as what a number of servers
# changes is the same over both) and each kind of transport (default: shm tcp), in a session of its own, under mpirun
# if RANKS is given.
function(benchfs_session_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PROGRAM;RANKS;LABEL;TIMEOUT" "ARGUMENTS;SERVERS;TLS")
  set(tcp_servers 2 5)
  if(DEFINED arg_SERVERS)
    set(tcp_servers ${arg_SERVERS})
  endif()
  foreach(default IN ITEMS "SERVERS 1 2 3 5" "TLS shm tcp" "LABEL integration" "TIMEOUT 300")
    string(REPLACE " " ";" words "${default}")
    list(POP_FRONT words key)
    if(NOT DEFINED arg_${key})
      set(arg_${key} ${words})
    endif()
  endforeach()
  set(mpirun "")
  if(DEFINED arg_RANKS)
    set(mpirun ${MPIEXEC_EXECUTABLE} --allow-run-as-root --oversubscribe --bind-to none
      ${MPIEXEC_NUMPROC_FLAG} ${arg_RANKS})
  endif()
  add_dependencies(${arg_PROGRAM} with_session)
  foreach(tls IN LISTS arg_TLS)
    if(tls STREQUAL tcp)
      set(arg_SERVERS ${tcp_servers})
    endif()
    foreach(servers IN LISTS arg_SERVERS)
      set(test ${arg_LABEL}.${tls}.${name}.${servers}_servers)
      add_test(NAME ${test} COMMAND with_session ${servers} --tls ${tls} --
        ${mpirun} $<TARGET_FILE:${arg_PROGRAM}> ${arg_ARGUMENTS})
      set_tests_properties(${test} PROPERTIES
        LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT} RESOURCE_LOCK servers)
    endforeach()
  endforeach()
endfunction()

add_subdirectory(integration/client)
add_subdirectory(integration/compat)
add_subdirectory(integration/files)
add_subdirectory(conformance)
add_subdirectory(model)
add_subdirectory(fuse)
