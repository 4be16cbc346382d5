// append FILE: adds what comes on standard input to the end of a file in the session, and waits
// until each block of it is written. The file commands have no such thing; a test of `tail -f`
// needs it.

#include <cstdio>
#include <string>

#include <benchfs/benchfs.h>
#include <fcntl.h>
#include <unistd.h>

namespace {

int fail(const char* doing) {
  std::fprintf(stderr, "append: %s: %s\n", doing, benchfs_error_text());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: append FILE\n", stderr);
    return 2;
  }
  benchfs_mount* const mount = benchfs_mount_open(nullptr);
  if (mount == nullptr) {
    return fail("mount");
  }
  benchfs_file* const file =
      benchfs_open(mount, argv[1], O_WRONLY | O_CREAT | O_APPEND, 0644, nullptr);
  if (file == nullptr) {
    return fail("open");
  }
  char block[65536];
  ssize_t got = 0;
  while ((got = ::read(STDIN_FILENO, block, sizeof block)) > 0) {
    if (benchfs_write(file, block, static_cast<size_t>(got)) != got) {
      return fail("write");
    }
  }
  if (benchfs_close(file) != 0 || benchfs_mount_close(mount) != 0) {
    return fail("close");
  }
  return got < 0 ? 1 : 0;
}
