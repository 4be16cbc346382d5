#include "conformance/stage.h"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <thread>
#include <tuple>

#include <fmt/format.h>

namespace benchfs::test {
namespace {

std::string shown(long result) {
  const char* const name =
      result < 0 && result > -4096 ? strerrorname_np(static_cast<int>(-result)) : nullptr;
  return name == nullptr ? fmt::format("{}", result) : name;
}

std::string shown(const std::string& text) {
  constexpr std::size_t kShownMax = 60;
  return fmt::format("\"{}\" ({} bytes)", text.substr(0, kShownMax), text.size());
}

bool is_later(const timespec& a, const timespec& b) {
  return std::tie(a.tv_sec, a.tv_nsec) > std::tie(b.tv_sec, b.tv_nsec);
}

}  // namespace

void Stage::fail(int line, const std::string& text) {
  constexpr int kShownMax = 10;
  if (++failure_count_ <= kShownMax) {
    failures_ += fmt::format("    line {}: {}\n", line, text);
  }
}

void Stage::is(long got, long want, int line) {
  if (got != want) {
    fail(line, fmt::format("{}, and should be {}", shown(got), shown(want)));
  }
}

void Stage::is(const std::string& got, const std::string& want, int line) {
  if (got != want) {
    fail(line, fmt::format("{}, and should be {}", shown(got), shown(want)));
  }
}

void Stage::is(const std::vector<std::string>& got, const std::vector<std::string>& want,
               int line) {
  if (got != want) {
    fail(line,
         fmt::format("[{}], and should be [{}]", fmt::join(got, ", "), fmt::join(want, ", ")));
  }
}

void Stage::holds(bool condition, const char* what, int line) {
  if (!condition) {
    fail(line, fmt::format("not so: {}", what));
  }
}

void Stage::make(const std::string& path, const std::string& text, int line) {
  const int file = must_open(path, O_WRONLY | O_CREAT | O_TRUNC, line);
  if (file >= 0) {
    is(fs.pwrite(file, text.data(), text.size(), 0), static_cast<long>(text.size()), line);
    is(fs.close(file), 0, line);
  }
}

int Stage::must_open(const std::string& path, int flags, int line) {
  const int file = fs.open(path, flags);
  holds(file >= 0, path.c_str(), line);
  return file;
}

std::string Stage::text_of(FileSystem& file_system, int file, std::size_t bytes, off_t offset) {
  std::string text(bytes, '?');
  const ssize_t count = file_system.pread(file, text.data(), bytes, offset);
  if (count < 0) {
    return "pread: " + shown(count);
  }
  text.resize(static_cast<std::size_t>(count));
  return text;
}

std::string Stage::text(const std::string& path, int line) {
  const long bytes = size(path, line);
  const int file = must_open(path, O_RDONLY, line);
  if (file < 0) {
    return "";
  }
  std::string text = text_of(fs, file, static_cast<std::size_t>(bytes) + 1, 0);
  is(fs.close(file), 0, line);
  return text;
}

struct stat Stage::stat(const std::string& path, int line) {
  struct stat out {};
  is(fs.stat(path, &out), 0, line);
  return out;
}

long Stage::size(const std::string& path, int line) {
  return stat(path, line).st_size;
}

std::vector<std::string> Stage::names(const std::string& path, int line) {
  std::vector<std::string> names;
  const int directory = fs.opendir(path);
  holds(directory >= 0, path.c_str(), line);
  if (directory >= 0) {
    Entry entry;
    int result = fs.readdir(directory, &entry);
    for (; result == 1; result = fs.readdir(directory, &entry)) {
      names.push_back(entry.name);
    }
    is(result, 0, line);
    is(fs.closedir(directory), 0, line);
  }
  std::sort(names.begin(), names.end());
  return names;
}

void Stage::age(const std::string& path, int line) {
  const timespec times[2] = {{.tv_sec = kOld, .tv_nsec = 0}, {.tv_sec = kOld, .tv_nsec = 0}};
  is(fs.utimens(path, times), 0, line);
}

timespec Stage::pass_ctime(const std::string& path) {
  const timespec ctime = stat(path).st_ctim;
  timespec now{};
  do {
    std::this_thread::yield();
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);  // No finer than what any kernel stamps with.
  } while (!is_later(now, ctime));
  return ctime;
}

bool Stage::ctime_moved(const std::string& path, const timespec& since) {
  return is_later(stat(path).st_ctim, since);
}

std::vector<long> Stage::race(const std::function<long(FileSystem&, unsigned)>& work) {
  std::vector<long> results(clients.size());
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < clients.size(); ++i) {
    threads.emplace_back([&, i] { results[i] = work(*clients[i], i); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  return results;
}

}  // namespace benchfs::test
