# Tests of the real kernel, network and processes.

# One executable per file; each test runs once per set of UCX transports.
function(benchfs_transport_test file)
  set(name integration_transport_${file}_test)
  add_executable(${name} integration/transport/${file}_test.cpp)
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE benchfs::net benchfs_rules GTest::gtest_main ${ARGN})
  gtest_discover_tests(${name} TEST_PREFIX "integration.shm." TEST_LIST ${name}_shm
    PROPERTIES LABELS integration TIMEOUT 300
    ENVIRONMENT "UCX_TLS=posix,sysv,cma,self")
  gtest_discover_tests(${name} TEST_PREFIX "integration.tcp." TEST_LIST ${name}_tcp
    PROPERTIES LABELS integration TIMEOUT 300
    ENVIRONMENT "UCX_TLS=tcp,self;UCX_NET_DEVICES=lo")
endfunction()

benchfs_transport_test(one_process)

add_executable(integration_transport_peer integration/transport/peer_main.cpp)
target_include_directories(integration_transport_peer PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(integration_transport_peer PRIVATE benchfs::net benchfs_rules)

benchfs_transport_test(two_process)
target_compile_definitions(integration_transport_two_process_test PRIVATE
  BENCHFS_PEER_PROGRAM="$<TARGET_FILE:integration_transport_peer>")
add_dependencies(integration_transport_two_process_test integration_transport_peer)

