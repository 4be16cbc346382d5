// benchfs-fuse: one mount of a session. `benchfs mount` starts it.

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "base/log.h"
#include "client/mount.h"
#include "client/options.h"
#include "fuse/arguments.h"
#include "fuse/background.h"
#include "fuse/file_system.h"
#include "fuse/kernel_mount.h"

namespace {

using namespace benchfs;  // NOLINT(google-build-using-namespace)

/// In every thread that is going to be: the main thread lets them in when it serves.
void block_signals() {
  sigset_t numbers;
  ::sigemptyset(&numbers);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
    ::sigaddset(&numbers, number);
  }
  ::pthread_sigmask(SIG_BLOCK, &numbers, nullptr);
}

/// Why the session does not answer; empty if it does.
std::string ask_root(client::Mount& mount) {
  client::Context context{.subject = "the session", .server = {}};
  fuse::Nodes nodes(mount.servers(), fuse::Detail::kAll);
  const auto root = mount.run(nodes.attributes(context, kRootInode));
  return root.has_value() ? "" : client::sentence_of(context, root.error(), &mount.server_names());
}

int serve(const fuse::Arguments& arguments, const client::Options& options,
          fuse::Background& background) {
  block_signals();
  auto joined = client::Mount::open(options);
  if (!joined.has_value()) {
    return background.fail(joined.error().text);
  }
  client::Mount& mount = **joined;
  if (const std::string trouble = ask_root(mount); !trouble.empty()) {
    return background.fail(trouble);
  }
  fuse::FileSystem file_system(mount, {.cache_seconds = arguments.cache_seconds,
                                       .on_ready = [&background] { background.tell_ready(); }});
  auto mounted = fuse::KernelMount::create(arguments, options.session_directory, file_system);
  if (!mounted.has_value()) {
    return background.fail(mounted.error());
  }
  return (*mounted)->serve() ? EXIT_SUCCESS
                             : background.fail(arguments.directory + ": cannot serve the mount");
}

}  // namespace

int main(int argc, char** argv) {
  int exit_status = EXIT_FAILURE;
  auto arguments =
      fuse::parse_arguments(std::vector<std::string>(argv + 1, argv + argc), exit_status);
  if (!arguments.has_value()) {
    return exit_status;
  }
  configure_log(LogLevel::kWarning, "benchfs-fuse");
  fuse::Background background;
  auto options =
      client::read_options(arguments->session.empty() ? nullptr : arguments->session.c_str());
  if (!options.has_value()) {
    return background.fail(options.error());
  }
  std::error_code failed;
  // Not after the change of the working directory; and `down` compares what the kernel then shows.
  options->session_directory =
      std::filesystem::weakly_canonical(options->session_directory, failed).string();
  arguments->directory = std::filesystem::absolute(arguments->directory, failed).string();
  if (const std::string trouble = fuse::why_not_mountable(arguments->directory); !trouble.empty()) {
    return background.fail(trouble);
  }
  if (!background.enter(arguments->foreground)) {
    return background.fail(fmt::format("cannot start in the background: {}", std::strerror(errno)));
  }
  // What it works in must not be what keeps a file system from being unmounted.
  if (::chdir("/") != 0) {
    return background.fail(fmt::format("cannot go to /: {}", std::strerror(errno)));
  }
  return serve(*arguments, *options, background);
}
