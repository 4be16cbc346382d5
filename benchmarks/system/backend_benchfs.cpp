// The C++ interface of benchfs: as many requests under way as there are slots.

#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

#include <benchfs/benchfs.hpp>
#include <fcntl.h>

#include "backend.h"

namespace benchfs::bench {

namespace {

constexpr mode_t kFileMode = 0644;

/// Runs a call of the library; what it throws becomes a Failure that names `what`.
template <typename Call>
auto must(const std::string& what, Call&& call) {
  try {
    return call();
  } catch (const std::system_error& error) {
    throw Failure(what + ": " + error.what());
  }
}

/// MPI-IO's names of the same files begin with the file system's.
std::string session_path(const std::string& path) {
  constexpr std::string_view kPrefix = "benchfs:";
  return path.starts_with(kPrefix) ? path.substr(kPrefix.size()) : path;
}

int open_flags(Access access) {
  switch (access) {
    case Access::kCreate:
      return O_RDWR | O_CREAT;
    case Access::kUpdate:
      return O_RDWR;
    case Access::kRead:
      return O_RDONLY;
  }
  return O_RDONLY;
}

class BenchfsFile final : public DataFile {
 public:
  BenchfsFile(File file, std::string path, unsigned depth)
      : file_(std::move(file)), path_(std::move(path)), requests_(depth) {}

  void begin_write(unsigned slot, std::span<const std::byte> bytes, std::uint64_t offset) override {
    must(path_, [&] { requests_[slot].emplace(file_.write_async(bytes, offset)); });
  }
  void begin_read(unsigned slot, std::span<std::byte> bytes, std::uint64_t offset) override {
    must(path_, [&] { requests_[slot].emplace(file_.read_async(bytes, offset)); });
  }
  std::uint64_t finish(unsigned slot) override {
    const std::size_t count = must(path_, [&] { return requests_[slot]->wait(); });
    requests_[slot].reset();
    return count;
  }
  void sync() override {
    must(path_, [&] { file_.sync(); });
  }
  std::uint64_t size_bytes() override {
    return must(path_, [&] { return file_.size(); });
  }
  void close() override {
    must(path_, [&] { file_.close(); });
  }

 private:
  File file_;
  const std::string path_;
  std::vector<std::optional<Request>> requests_;  ///< Go before the file.
};

class BenchfsBackend final : public Backend {
 public:
  explicit BenchfsBackend(const BackendOptions& options)
      : depth_(options.depth),
        session_(must("cannot join the session", [] { return Session(); })) {}

  std::unique_ptr<DataFile> open(const FileSpec& spec) override {
    // Of a shared file no rank may cut off what another has written already.
    const int truncate =
        spec.access == Access::kCreate && spec.sharing == Sharing::kOwn ? O_TRUNC : 0;
    return must(spec.path, [&] {
      return std::make_unique<BenchfsFile>(
          session_.open(session_path(spec.path), open_flags(spec.access) | truncate, kFileMode),
          spec.path, depth_);
    });
  }
  void make_directory(const std::string& path) override {
    try {
      session_.mkdir(session_path(path), 0755);
    } catch (const std::system_error& error) {
      if (error.code() != std::errc::file_exists) {
        throw Failure(path + ": " + error.what());
      }
    }
  }
  void remove_directory(const std::string& path) override {
    must(path, [&] { session_.rmdir(session_path(path)); });
  }
  void create(const std::string& path, std::span<const std::byte> bytes) override {
    must(path, [&] {
      File file = session_.open(session_path(path), O_WRONLY | O_CREAT | O_EXCL, kFileMode);
      if (!bytes.empty()) {
        file.write(bytes, 0);
      }
      file.close();
    });
  }
  std::uint64_t stat(const std::string& path) override {
    const auto got = must(path, [&] { return session_.stat(session_path(path)); });
    return static_cast<std::uint64_t>(got.st_size);
  }
  std::size_t read(const std::string& path, std::span<std::byte> bytes) override {
    return must(path, [&] {
      File file = session_.open(session_path(path), O_RDONLY);
      const std::size_t count = file.read(bytes, 0);
      file.close();
      return count;
    });
  }
  void remove(const std::string& path) override {
    must(path, [&] { session_.unlink(session_path(path)); });
  }
  void list(const std::string& path, const std::function<void(const Name&)>& visit) override {
    Directory directory = must(path, [&] { return session_.list(session_path(path)); });
    while (auto entry = must(path, [&] { return directory.next(); })) {
      visit(Name{.name = std::move(entry->name),
                 .is_directory = S_ISDIR(entry->attributes.st_mode),
                 .size_bytes = static_cast<std::uint64_t>(entry->attributes.st_size)});
    }
  }
  void ping() override {
    must("ping", [&] { session_.ping(0); });
  }
  void crowd(unsigned count, const std::function<void()>& meanwhile) override {
    std::vector<Session> others;
    for (unsigned i = 0; i < count; ++i) {
      must("one client more", [&] {
        others.emplace_back();
        for (int server = 0; server < others.back().server_count(); ++server) {
          others.back().ping(server);
        }
      });
    }
    meanwhile();
  }

 private:
  const unsigned depth_;
  Session session_;
};

}  // namespace

std::unique_ptr<Backend> make_benchfs_backend(const BackendOptions& options) {
  return std::make_unique<BenchfsBackend>(options);
}

}  // namespace benchfs::bench
