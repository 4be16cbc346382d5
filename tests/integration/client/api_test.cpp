// Goal: through the installed interfaces, with real servers and processes, every byte read back is
// the byte written, and each promise of benchfs.h about races, ends of files and shared handles
// holds. Method: works in a directory of its own in the live session $BENCHFS_SESSION; contents are
// a function of the offset; races are between forked processes that join for themselves and start
// on a pipe's end.

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <benchfs/benchfs.hpp>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" int benchfs_api_from_c(const char* directory);

namespace {

std::byte content_at(std::uint64_t offset, std::uint64_t seed = 0) {
  std::uint64_t x = (offset + 1) * 0x9E3779B97F4A7C15ULL + seed;
  x ^= x >> 29;
  return static_cast<std::byte>((x * 0xBF58476D1CE4E5B9ULL) >> 56);
}

std::vector<std::byte> content(std::uint64_t offset, std::size_t size, std::uint64_t seed = 0) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = content_at(offset + i, seed);
  }
  return bytes;
}

template <typename Call>
int errno_of(Call call) {
  try {
    call();
    return 0;
  } catch (const std::system_error& error) {
    EXPECT_STRNE(error.what(), "");
    return error.code().value();
  }
}

void remove_tree(benchfs::Session& session, const std::string& path) {
  std::vector<std::pair<std::string, bool>> names;
  {
    auto directory = session.list(path);
    while (const auto entry = directory.next()) {
      names.emplace_back(path + "/" + entry->name, S_ISDIR(entry->attributes.st_mode));
    }
  }
  for (const auto& [name, is_directory] : names) {
    is_directory ? remove_tree(session, name) : session.unlink(name);
  }
  session.rmdir(path);
}

class Api : public testing::Test {
 protected:
  Api() {
    const auto* const info = testing::UnitTest::GetInstance()->current_test_info();
    root_ = std::string("/api-") + info->name() + "-" + std::to_string(::getpid());
    session_.mkdir(root_);
  }
  ~Api() override { remove_tree(session_, root_); }

  std::string at(const std::string& name) const { return root_ + "/" + name; }

  /// Runs `body(index, word)` in `count` processes that start together, when this one has told them
  /// what `word` returns. A process fails by returning false.
  void run_processes(
      int count, const std::function<bool(int, const std::string&)>& body,
      const std::function<std::string()>& word = [] { return std::string(); });

  benchfs::Session session_;
  std::string root_;
};

/// All that is written to `fd`, which is closed.
std::string read_to_end(int fd) {
  std::string text;
  std::array<char, 256> piece{};
  ssize_t count = 0;
  while ((count = ::read(fd, piece.data(), piece.size())) > 0) {
    text.append(piece.data(), static_cast<std::size_t>(count));
  }
  ::close(fd);
  return text;
}

void Api::run_processes(int count, const std::function<bool(int, const std::string&)>& body,
                        const std::function<std::string()>& word) {
  // UCX has a thread in a process with a session, which a child does not inherit (benchfs.h).
  { const benchfs::Session left = std::move(session_); }
  std::vector<int> gates;
  std::vector<pid_t> children;
  for (int i = 0; i < count; ++i) {
    std::array<int, 2> gate{-1, -1};
    ASSERT_EQ(::pipe(gate.data()), 0);
    gates.push_back(gate[1]);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (const int fd : gates) {
        ::close(fd);
      }
      const std::string told = read_to_end(gate[0]);
      bool held = false;
      try {
        held = body(i, told);
      } catch (const std::exception& error) {
        std::fprintf(stderr, "process %d: %s\n", i, error.what());
      }
      ::_exit(held ? 0 : 1);
    }
    ::close(gate[0]);
    children.push_back(child);
  }
  session_ = benchfs::Session();
  const std::string told = word();
  for (const int fd : gates) {
    EXPECT_EQ(::write(fd, told.data(), told.size()), static_cast<ssize_t>(told.size()));
    ::close(fd);
  }
  for (const pid_t child : children) {
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
  }
}

TEST_F(Api, ReadsWhatItWroteFromNothingTo64MiB) {
  const std::vector<std::size_t> sizes = {
      0, 1, 511, 4096, 4097, 65'536, 99'999, 1 << 20, (1 << 20) + 1, 5'000'001, 64 << 20};
  for (const std::uint64_t chunk : {std::uint64_t{3902}, std::uint64_t{47'008},
                                    std::uint64_t{1} << 20, std::uint64_t{16} << 20}) {
    auto file = session_.open(at("sizes"), O_RDWR | O_CREAT | O_TRUNC, 0644, {chunk, 0});
    for (const std::size_t size : sizes) {
      SCOPED_TRACE(testing::Message() << "chunk " << chunk << ", size " << size);
      const std::uint64_t offset = size == (64u << 20) ? 0 : 12'345;
      file.truncate(0);
      const auto written = content(offset, size, chunk);
      file.write(written, offset);
      EXPECT_EQ(file.size(), size == 0 ? 0 : offset + size);
      std::vector<std::byte> got(size + 10, std::byte{0x55});
      ASSERT_EQ(file.read(got, offset), size);
      got.resize(size);
      EXPECT_TRUE(got == written);
    }
    file.close();
    session_.unlink(at("sizes"));
  }
}

TEST_F(Api, WorksWithChunksOfOneByte) {
  auto file = session_.open(at("bytes"), O_RDWR | O_CREAT, 0644, {1, 0});
  const auto written = content(7, 5000);
  file.write(written, 7);
  std::vector<std::byte> got(5000);
  EXPECT_EQ(file.read(got, 7), 5000u);
  EXPECT_TRUE(got == written);
}

TEST_F(Api, ScattersOnBothSidesAsAModelDoes) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    const std::vector<std::uint64_t> chunks = {777, 4096, 100'000};
    auto file = session_.open(at("list"), O_RDWR | O_CREAT | O_TRUNC, 0644,
                              {chunks[seed % 3], static_cast<std::uint32_t>(random() % 3)});
    std::vector<std::byte> model;
    for (int step = 0; step < 10; ++step) {
      std::vector<benchfs::Extent> extents;
      std::uint64_t offset = random() % 50'000;
      std::size_t total = 0;
      for (std::uint64_t i = 0; i < 1 + random() % 300; ++i) {
        extents.push_back({offset, random() % 900});
        total += extents.back().length;
        offset += extents.back().length + random() % 700;
      }
      std::vector<std::byte> buffer = content(seed, total, static_cast<std::uint64_t>(step));
      std::vector<iovec> memory;
      for (std::size_t done = 0; done < total;) {
        const std::size_t size = std::min<std::size_t>(total - done, 1 + random() % 5000);
        memory.push_back({buffer.data() + done, size});
        done += size;
      }
      file.write_list(memory, extents);
      std::size_t position = 0;
      for (const auto& extent : extents) {
        if (extent.length > 0) {
          model.resize(std::max<std::size_t>(model.size(), extent.offset + extent.length));
        }
        std::copy_n(buffer.begin() + static_cast<std::ptrdiff_t>(position), extent.length,
                    model.begin() + static_cast<std::ptrdiff_t>(
                                        std::min<std::uint64_t>(extent.offset, model.size())));
        position += extent.length;
      }
      std::shuffle(extents.begin(), extents.end(), random);
      const auto count = file.read_list_async(memory, extents).wait();
      EXPECT_EQ(count, total);
      position = 0;
      for (const auto& extent : extents) {
        for (std::uint64_t i = 0; i < extent.length; ++i) {
          ASSERT_EQ(buffer[position++], model[extent.offset + i]) << extent.offset + i;
        }
      }
    }
    std::vector<std::byte> whole(model.size() + 100);
    ASSERT_EQ(file.read(whole, 0), model.size());
    whole.resize(model.size());
    EXPECT_TRUE(whole == model);
  }
}

TEST_F(Api, ReadsHolesAndTruncatedRangesAsZeros) {
  auto file = session_.open(at("holes"), O_RDWR | O_CREAT, 0644, {10'000, 0});
  file.write(content(0, 100'000), 0);
  file.truncate(30'000);
  file.write(content(200'000, 10), 200'000);
  std::vector<std::byte> got(300'000, std::byte{0x55});
  ASSERT_EQ(file.read(got, 0), 200'010u);
  for (std::size_t i = 0; i < 200'010; ++i) {
    ASSERT_EQ(got[i], i < 30'000 || i >= 200'000 ? content_at(i) : std::byte{0}) << i;
  }
  file.truncate(1'000'000);
  EXPECT_EQ(file.size(), 1'000'000u);
  EXPECT_EQ(file.read(got, 900'000), 100'000u);
  EXPECT_EQ(std::count(got.begin(), got.begin() + 100'000, std::byte{0}), 100'000);
  // What lies behind the end is zeroed in memory, for lists.
  std::vector<std::byte> scattered(20, std::byte{0x55});
  const iovec memory{scattered.data(), scattered.size()};
  const benchfs::Extent extents[2] = {{999'995, 10}, {5'000'000, 10}};
  EXPECT_EQ(file.read_list({&memory, 1}, extents), 5u);
  EXPECT_EQ(std::count(scattered.begin(), scattered.end(), std::byte{0}), 20);
}

TEST_F(Api, KeepsManyAsynchronousOperationsInFlight) {
  auto file = session_.open(at("async"), O_RDWR | O_CREAT);
  constexpr std::size_t kPiece = 300'007;
  constexpr std::size_t kCount = 64;
  std::vector<std::vector<std::byte>> pieces;
  std::vector<benchfs::Request> requests;
  for (std::size_t i = 0; i < kCount; ++i) {
    pieces.push_back(content(i * kPiece, kPiece));
    requests.push_back(file.write_async(pieces.back(), i * kPiece));
  }
  EXPECT_EQ(errno_of([&] { file.close(); }), EBUSY);
  for (auto& request : requests) {
    EXPECT_EQ(request.wait(), kPiece);
  }
  requests.clear();
  std::vector<std::byte> whole(kCount * kPiece);
  for (std::size_t i = 0; i < kCount; ++i) {
    requests.push_back(file.read_async(std::span(whole).subspan(i * kPiece, kPiece), i * kPiece));
  }
  for (auto& request : requests) {
    auto ended = request.test();
    while (!ended.has_value()) {
      ended = request.test();
    }
    EXPECT_EQ(*ended, kPiece);
  }
  EXPECT_TRUE(whole == content(0, whole.size()));
}

TEST_F(Api, ServesManyThreadsOnOneFile) {
  auto file = session_.open(at("threads"), O_RDWR | O_CREAT, 0644, {65'536, 0});
  constexpr std::size_t kPiece = 10'000;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = t; i < 400; i += 8) {
        file.write(content(i * kPiece, kPiece), i * kPiece);
        std::vector<std::byte> got(kPiece);
        wrong += file.read(got, i * kPiece) == kPiece && got == content(i * kPiece, kPiece) ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(file.size(), 400 * kPiece);
}

TEST_F(Api, LetsOneOfManyProcessesCreate) {
  for (int round = 0; round < 5; ++round) {
    const std::string name = at("exclusive" + std::to_string(round));
    const std::string shared = at("shared" + std::to_string(round));
    run_processes(6, [&](int i, const std::string&) {
      benchfs::Session session;
      const int code = errno_of([&] { session.open(name, O_WRONLY | O_CREAT | O_EXCL); });
      if (code == 0) {
        auto winner = session.open(at("winner" + std::to_string(round) + "." + std::to_string(i)),
                                   O_WRONLY | O_CREAT);
      }
      auto file = session.open(shared, O_RDWR | O_CREAT);
      file.write(content(static_cast<std::uint64_t>(i) * 100, 100),
                 static_cast<std::uint64_t>(i) * 100);
      return code == 0 || code == EEXIST;
    });
    int winners = 0;
    auto directory = session_.list(root_);
    while (const auto entry = directory.next()) {
      winners += entry->name.starts_with("winner" + std::to_string(round) + ".") ? 1 : 0;
    }
    EXPECT_EQ(winners, 1);
    std::vector<std::byte> got(700);
    EXPECT_EQ(session_.open(shared, O_RDONLY).read(got, 0), 600u) << "all opened one file";
    got.resize(600);
    EXPECT_TRUE(got == content(0, 600));
  }
}

TEST_F(Api, AppendsFromProcessesInOnePieceEach) {
  constexpr int kProcesses = 4;
  constexpr int kRecords = 40;
  constexpr std::size_t kSize = 1234;
  run_processes(kProcesses, [&](int i, const std::string&) {
    benchfs::Session session;
    auto file = session.open(at("log"), O_WRONLY | O_CREAT | O_APPEND, 0644, {500, 0});
    const std::vector<std::byte> record(kSize, static_cast<std::byte>(i + 1));
    for (int k = 0; k < kRecords; ++k) {
      file.write_next(record);
    }
    return true;
  });
  std::vector<std::byte> got(kProcesses * kRecords * kSize + 1);
  ASSERT_EQ(session_.open(at("log"), O_RDONLY).read(got, 0), got.size() - 1);
  int count_of[kProcesses + 1] = {};
  for (std::size_t i = 0; i + 1 < got.size(); i += kSize) {
    const auto writer = static_cast<unsigned>(got[i]);
    ASSERT_TRUE(writer >= 1 && writer <= kProcesses);
    const auto begin = got.begin() + static_cast<std::ptrdiff_t>(i);
    ASSERT_EQ(std::count(begin, begin + kSize, got[i]), static_cast<std::ptrdiff_t>(kSize));
    ++count_of[writer];
  }
  for (int i = 1; i <= kProcesses; ++i) {
    EXPECT_EQ(count_of[i], kRecords);
  }
}

TEST_F(Api, LocksARangeForOneProcessAtATime) {
  constexpr int kProcesses = 4;
  constexpr int kRounds = 25;
  // Each adds to two numbers that lie on different servers; who reads looks whether they agree.
  run_processes(kProcesses, [&](int i, const std::string&) {
    benchfs::Session session;
    auto file = session.open(at("numbers"), O_RDWR | O_CREAT, 0644, {64, 0});
    for (int round = 0; round < kRounds; ++round) {
      const bool adds = (round + i) % 2 == 0;
      auto lock = adds ? file.lock(0, 128) : file.lock_shared(0, 128);
      std::array<std::uint64_t, 2> numbers{};
      file.read(std::as_writable_bytes(std::span(numbers).first(1)), 0);
      file.read(std::as_writable_bytes(std::span(numbers).last(1)), 64);
      if (numbers[0] != numbers[1]) {
        return false;
      }
      if (adds) {
        ++numbers[0];
        file.write(std::as_bytes(std::span(numbers).first(1)), 0);
        file.write(std::as_bytes(std::span(numbers).first(1)), 64);
      }
      lock.unlock();
    }
    return true;
  });
  std::uint64_t sum = 0;
  auto file = session_.open(at("numbers"), O_RDWR);
  EXPECT_EQ(file.read(std::as_writable_bytes(std::span(&sum, 1)), 64), 8U);
  EXPECT_EQ(sum, static_cast<std::uint64_t>(kProcesses * kRounds / 2));
  // Two of one handle exclude each other too, but not where they do not overlap.
  const auto first = file.lock(0, 10);
  const auto second = file.lock(10, 0);
  EXPECT_TRUE(first.held() && second.held());
  EXPECT_THROW(file.close(), benchfs::SystemError);
}

TEST_F(Api, CountsForAllThatAttach) {
  constexpr int kProcesses = 4;
  constexpr std::uint64_t kRounds = 50;
  std::optional<benchfs::File> file;
  // Everybody writes where the counter says: no place twice, none left out.
  const auto attach_and_write = [&](int i, const std::string& handle) {
    benchfs::Session session;
    auto attached = session.attach(std::as_bytes(std::span(handle)));
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      const std::vector<std::byte> piece(1 + (round + static_cast<std::uint64_t>(i)) % 7,
                                         std::byte{1});
      attached.write(piece, attached.counter_add(piece.size()));
    }
    attached.close();
    return true;
  };
  run_processes(kProcesses, attach_and_write, [&] {
    file.emplace(session_.open(at("counted"), O_RDWR | O_CREAT, 0644, {100, 0}));
    const auto exported = file->export_handle();
    return std::string(reinterpret_cast<const char*>(exported.data()), exported.size());
  });
  const std::uint64_t end = file->counter_add(0);
  EXPECT_EQ(end, file->size());
  std::vector<std::byte> got(end);
  EXPECT_EQ(file->read(got, 0), got.size());
  EXPECT_EQ(std::count(got.begin(), got.end(), std::byte{1}), static_cast<std::ptrdiff_t>(end));
  EXPECT_EQ(file->counter_set(7), end);
  EXPECT_EQ(file->counter_add(1), 7U);
  EXPECT_THROW(file->counter_add(INT64_MAX), benchfs::SystemError);
  EXPECT_EQ(errno_of([&] { file->counter_set(UINT64_MAX); }), EINVAL);
}

TEST_F(Api, SharesAnOpenFileWithProcessesThatAttach) {
  constexpr std::size_t kPiece = 123'457;
  std::optional<benchfs::File> file;
  const auto attach_and_write = [&](int i, const std::string& handle) {
    benchfs::Session session;
    auto attached = session.attach(std::as_bytes(std::span(handle)));
    const std::uint64_t offset = static_cast<std::uint64_t>(i) * kPiece;
    attached.write(content(offset, kPiece), offset);
    attached.close();
    return true;
  };
  run_processes(4, attach_and_write, [&] {
    file.emplace(session_.open(at("shared"), O_RDWR | O_CREAT, 0644, {10'000, 0}));
    const auto exported = file->export_handle();
    return std::string(reinterpret_cast<const char*>(exported.data()), exported.size());
  });
  std::vector<std::byte> got(4 * kPiece);
  EXPECT_EQ(file->read(got, 0), got.size());
  EXPECT_TRUE(got == content(0, got.size()));
  file->close();
  EXPECT_EQ(static_cast<std::size_t>(session_.stat(at("shared")).st_size), got.size());
}

TEST_F(Api, ReadsOnlyWhatWasWrittenWhileAnotherProcessMakesTheFileGrow) {
  session_.open(at("growing"), O_RDWR | O_CREAT, 0644, {4096, 0}).close();
  constexpr std::size_t kStep = 4096;  // One chunk, so each write is one request: all or nothing.
  constexpr std::size_t kSteps = 200;
  run_processes(2, [&](int i, const std::string&) {
    benchfs::Session session;
    auto mine = session.open(at("growing"), O_RDWR);
    if (i == 0) {
      for (std::size_t k = 0; k < kSteps; ++k) {
        mine.write(content(k * kStep, kStep), k * kStep);
      }
      return true;
    }
    std::vector<std::byte> got(kStep * kSteps + 1);
    std::size_t before = 0;
    while (before < kStep * kSteps) {
      const std::size_t count = mine.read(got, 0);
      if (count < before ||
          !std::equal(got.begin(), got.begin() + static_cast<std::ptrdiff_t>(count),
                      content(0, count).begin())) {
        return false;
      }
      before = count;
    }
    return before == kStep * kSteps;
  });
}

TEST_F(Api, KeepsAnUnlinkedFileUntilItIsClosed) {
  auto file = session_.open(at("gone"), O_RDWR | O_CREAT);
  file.write(content(0, 5'000'000), 0);
  session_.unlink(at("gone"));
  EXPECT_EQ(errno_of([&] { session_.stat(at("gone")); }), ENOENT);
  auto other = session_.open(at("gone"), O_RDWR | O_CREAT | O_EXCL);
  other.write(content(0, 10, 99), 0);
  std::vector<std::byte> got(5'000'000);
  EXPECT_EQ(file.read(got, 0), got.size());
  EXPECT_TRUE(got == content(0, got.size()));
  file.close();
  got.resize(20);
  EXPECT_EQ(other.read(got, 0), 10u);
  EXPECT_TRUE(std::equal(got.begin(), got.begin() + 10, content(0, 10, 99).begin()));
}

TEST_F(Api, ListsThousandsOfNamesOnceEach) {
  constexpr int kFiles = 3000;
  session_.mkdir(at("many"));
  std::set<std::string> wanted;
  for (int i = 0; i < kFiles; ++i) {
    const std::string name = "name." + std::to_string(i);
    session_.open(at("many/" + name), O_WRONLY | O_CREAT).close();
    wanted.insert(name);
  }
  wanted.insert(std::string(255, 'n'));
  session_.mkdir(at("many/" + std::string(255, 'n')));
  auto directory = session_.list(at("many"));
  int listed = 0;
  while (const auto entry = directory.next()) {
    ++listed;
    EXPECT_EQ(wanted.erase(entry->name), 1u) << entry->name;
  }
  EXPECT_EQ(listed, kFiles + 1);
  EXPECT_TRUE(wanted.empty());
  EXPECT_EQ(errno_of([&] { session_.rmdir(at("many")); }), ENOTEMPTY);
}

TEST_F(Api, HasTheErrnosOfPosix) {
  session_.mkdir(at("dir"));
  session_.open(at("file"), O_WRONLY | O_CREAT).close();
  EXPECT_EQ(errno_of([&] { session_.open(at("none"), O_RDONLY); }), ENOENT);
  EXPECT_EQ(errno_of([&] { session_.open(at("dir"), O_RDONLY); }), EISDIR);
  EXPECT_EQ(errno_of([&] { session_.open(at("file/x"), O_RDONLY); }), ENOTDIR);
  EXPECT_EQ(errno_of([&] { session_.open(at("file"), O_RDWR | O_CREAT | O_EXCL); }), EEXIST);
  EXPECT_EQ(errno_of([&] { session_.open(at(std::string(256, 'x')), O_RDONLY); }), ENAMETOOLONG);
  EXPECT_EQ(errno_of([&] { session_.open(at("new"), O_RDWR | O_CREAT, 0644, {0, 1}); }), EINVAL);
  EXPECT_EQ(errno_of([&] { session_.mkdir(at("dir")); }), EEXIST);
  EXPECT_EQ(errno_of([&] { session_.mkdir(at("none/dir")); }), ENOENT);
  EXPECT_EQ(errno_of([&] { session_.unlink(at("dir")); }), EISDIR);
  EXPECT_EQ(errno_of([&] { session_.rmdir(at("file")); }), ENOTDIR);
  EXPECT_EQ(errno_of([&] { session_.list(at("none")); }), ENOENT);
  EXPECT_EQ(errno_of([&] { session_.list(at("file")); }), ENOTDIR);
  EXPECT_EQ(errno_of([&] { session_.rename(at("dir"), at("dir/below")); }), EINVAL);
  EXPECT_EQ(errno_of([&] { session_.rename(at("dir"), at("file")); }), ENOTDIR);
  EXPECT_EQ(errno_of([&] { session_.rename(at("none"), at("x")); }), ENOENT);
  auto reader = session_.open(at("file"), O_RDONLY);
  EXPECT_EQ(errno_of([&] { reader.write(content(0, 1), 0); }), EBADF);
}

TEST_F(Api, ChangesAttributesAndNames) {
  session_.open(at("a"), O_WRONLY | O_CREAT, 0640).write(content(0, 100), 0);
  session_.open(at("b"), O_WRONLY | O_CREAT, 0644).close();
  session_.chmod(at("a"), 0600);
  session_.utimens(at("a"), {timespec{100, 5}, timespec{200, 7}});
  session_.rename(at("a"), at("b"));
  const auto attributes = session_.stat(at("b"));
  EXPECT_EQ(attributes.st_mode, static_cast<mode_t>(S_IFREG | 0600));
  EXPECT_EQ(attributes.st_size, 100);
  EXPECT_EQ(attributes.st_atim.tv_sec, 100);
  EXPECT_EQ(attributes.st_mtim.tv_nsec, 7);
  EXPECT_EQ(errno_of([&] { session_.stat(at("a")); }), ENOENT);
  session_.truncate(at("b"), 10);
  EXPECT_EQ(session_.stat(at("b")).st_size, 10);
}

TEST_F(Api, CountsSpaceAndGivesItBack) {
  constexpr std::int64_t kWritten = 32 << 20;
  // Snapshots of the servers' logs take and free blocks at any time (journal README, "Snapshot").
  constexpr std::int64_t kSnapshots = 2 << 20;
  const auto free_bytes = [&] {
    const auto state = session_.statvfs();
    return static_cast<std::int64_t>(state.f_bfree) * static_cast<std::int64_t>(state.f_frsize);
  };
  const std::int64_t before = free_bytes();
  auto file = session_.open(at("space"), O_WRONLY | O_CREAT);
  file.write(content(0, kWritten), 0);
  file.sync();
  EXPECT_NEAR(static_cast<double>(free_bytes()), static_cast<double>(before - kWritten),
              static_cast<double>(kSnapshots));
  file.close();
  session_.unlink(at("space"));
  EXPECT_NEAR(static_cast<double>(free_bytes()), static_cast<double>(before),
              static_cast<double>(kSnapshots));
}

TEST_F(Api, ServesSeveralSessionsInOneProcess) {
  benchfs::Session other;
  auto here = session_.open(at("f"), O_RDWR | O_CREAT);
  auto there = other.open(at("f"), O_RDWR);
  here.write(content(0, 1000), 0);
  std::vector<std::byte> got(2000);
  EXPECT_EQ(there.read(got, 0), 1000u);
  for (int i = 0; i < other.server_count(); ++i) {
    other.ping(i);
  }
}

TEST_F(Api, BringsTheMetricsOfEveryServer) {
  std::vector<char> bytes(BENCHFS_METRICS_BYTES_MAX);
  benchfs_mount* const mount = session_.get();
  for (int i = 0; i < session_.server_count(); ++i) {
    EXPECT_GT(benchfs_server_metrics_get(mount, i, bytes.data(), bytes.size()), 100);
    errno = 0;
    EXPECT_EQ(benchfs_server_metrics_get(mount, i, bytes.data(), 100), -1);
    EXPECT_EQ(errno, ERANGE);
  }
  EXPECT_EQ(benchfs_server_metrics_get(mount, session_.server_count(), bytes.data(), bytes.size()),
            -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(benchfs_server_metrics_get(mount, 0, nullptr, 0), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_F(Api, IsUsableFromC) {
  EXPECT_EQ(benchfs_api_from_c(root_.c_str()), 0) << benchfs_error_text();
}

}  // namespace
