#include "net/process.h"

#include <cerrno>
#include <vector>

#include <fcntl.h>
#include <openssl/crypto.h>
#include <unistd.h>

namespace benchfs::net {

Status check_descriptors(std::size_t count) noexcept {
  Status outcome;
  std::vector<int> opened;
  while (outcome.has_value() && opened.size() < count) {
    const int descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (descriptor >= 0) {
      opened.push_back(descriptor);
    } else if (errno == EMFILE || errno == ENFILE) {
      outcome = fail(Errc::kTooManyFiles, "net.descriptors", errno);
    } else {
      break;  // Nothing that is known of descriptors.
    }
  }
  for (const int descriptor : opened) {
    ::close(descriptor);
  }
  return outcome;
}

void keep_libcrypto() noexcept {
  // Once is enough, more often costs little: libcrypto looks at a flag.
  (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr);
}

}  // namespace benchfs::net
