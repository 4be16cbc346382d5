#include <optional>
#include <span>

#include <benchfs/benchfs.hpp>
#include <fcntl.h>

#include "way.h"

namespace alternation {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

template <typename Call>
int error_of(Call call) {
  try {
    call();
    return 0;
  } catch (const std::system_error& error) {
    return error.code().value();
  }
}

Seen read_all(benchfs::File& file) {
  Seen seen;
  seen.error = error_of([&] {
    seen.told_size = file.size();
    seen.bytes.resize(seen.told_size + 1);
    seen.bytes.resize(file.read(std::as_writable_bytes(std::span(seen.bytes)), 0));
  });
  return seen;
}

class LibraryWay final : public Way {
 public:
  const char* name() const override { return "library"; }

  int create(const std::string& file) override {
    return error_of([&] { session_.open("/" + file, O_WRONLY | O_CREAT | O_EXCL, 0644); });
  }
  int write(const std::string& file, std::uint64_t offset, const std::string& bytes) override {
    return error_of([&] { session_.open("/" + file, O_WRONLY).write(bytes_of(bytes), offset); });
  }
  int append(const std::string& file, const std::string& bytes) override {
    return error_of(
        [&] { session_.open("/" + file, O_WRONLY | O_APPEND).write_next(bytes_of(bytes)); });
  }
  int truncate(const std::string& file, std::uint64_t size) override {
    return error_of([&] { session_.truncate("/" + file, size); });
  }
  int rename(const std::string& from, const std::string& to) override {
    return error_of([&] { session_.rename("/" + from, "/" + to); });
  }
  int remove(const std::string& file) override {
    return error_of([&] { session_.unlink("/" + file); });
  }
  int replace(const std::string& file, const std::string& bytes) override {
    const std::string other = "/" + file + ".new";
    return error_of([&] {
      session_.open(other, O_WRONLY | O_CREAT | O_EXCL, 0644).write(bytes_of(bytes), 0);
      session_.rename(other, "/" + file);
    });
  }

  Seen look(const std::string& file) override {
    Seen seen;
    const int failed = error_of([&] {
      benchfs::File opened = session_.open("/" + file, O_RDONLY);
      seen = read_all(opened);
      const auto by_name = static_cast<std::uint64_t>(session_.stat("/" + file).st_size);
      seen.error = by_name == seen.told_size ? seen.error : EILSEQ;
    });
    seen.error = failed != 0 ? failed : seen.error;
    return seen;
  }

  int keep(const std::string& file) override {
    kept_.reset();
    return error_of([&] { kept_.emplace(session_.open("/" + file, O_RDWR)); });
  }
  Seen look_at_kept() override { return read_all(*kept_); }
  int write_kept(std::uint64_t offset, const std::string& bytes) override {
    return error_of([&] { kept_->write(bytes_of(bytes), offset); });
  }

 private:
  benchfs::Session session_;
  std::optional<benchfs::File> kept_;
};

}  // namespace

std::unique_ptr<Way> make_library_way() {
  return std::make_unique<LibraryWay>();
}

}  // namespace alternation
