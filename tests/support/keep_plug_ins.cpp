// For programs that load plug-ins (Open MPI's components), built with the address sanitizer only: leaks are
// looked for at exit, and a plug-in that was unloaded by then is an "unknown module" in the report, which no
// suppression can tell from our own component. So nothing is unloaded.
#if defined(__SANITIZE_ADDRESS__)
extern "C" __attribute__((visibility("default"))) int dlclose(void* /*handle*/) noexcept {
  return 0;
}
#endif
