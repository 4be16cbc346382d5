// Rows about calls that only benchfs has, and about its handles.

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include <benchfs/benchfs.hpp>
#include <fcntl.h>

#include "conformance/stage.h"

namespace benchfs::test {
namespace {

/// The result of a call of benchfs.h, as the rows compare it.
long told(long result) {
  return result < 0 ? -errno : result;
}

long told(const void* handle) {
  return handle == nullptr ? -errno : 0;
}

/// Room for a list of one piece.
struct Piece {
  explicit Piece(std::string text) : bytes(std::move(text)), iov{bytes.data(), bytes.size()} {}
  std::string bytes;
  iovec iov;
};

constexpr auto kRows = std::to_array<Row>({
    {.call = "lock_range, unlock",
     .sentence = "take any range of a file that is open in any way; an empty file has ranges too",
     .run =
         [](Stage& s) {
           s.make("f", "");
           benchfs_file* const file = s.fs.handle(s.must_open("f", O_RDONLY));
           benchfs_lock* const low = benchfs_lock_range(file, 0, 0, 1);
           benchfs_lock* const high = benchfs_lock_range(file, 0, 1, 0);
           s.is(told(low), 0);
           s.is(told(high), 0);
           s.is(told(benchfs_unlock(low)), 0);
           s.is(told(benchfs_unlock(high)), 0);
           benchfs_lock* const first = benchfs_lock_range(file, 1, 0, 0);
           benchfs_lock* const second = benchfs_lock_range(file, 1, 5, INT64_MAX - 5);
           s.is(told(first), 0);
           s.is(told(second), 0);
           s.is(told(benchfs_unlock(first)), 0);
           s.is(told(benchfs_unlock(second)), 0);
         },
     .kind = Kind::kOwn},
    {.call = "lock_range",
     .sentence = "EINVAL: an offset or length below 0, or beyond the largest offset; no file",
     .run =
         [](Stage& s) {
           s.make("f", "");
           benchfs_file* const file = s.fs.handle(s.must_open("f", O_RDWR));
           s.is(told(benchfs_lock_range(file, 0, -1, 5)), -EINVAL);
           s.is(told(benchfs_lock_range(file, 0, 5, -1)), -EINVAL);
           s.is(told(benchfs_lock_range(file, 0, 5, INT64_MAX)), -EINVAL);
           s.is(told(benchfs_lock_range(file, 0, INT64_MAX, 0)), -EINVAL);
           s.is(told(benchfs_lock_range(nullptr, 0, 0, 1)), -EINVAL);
           s.is(told(benchfs_unlock(nullptr)), -EINVAL);
         },
     .kind = Kind::kOwn},
    {.call = "counter_add, counter_set",
     .sentence = "begin at 0, one for each open; EINVAL below 0, EOVERFLOW beyond 2^63 - 1",
     .run =
         [](Stage& s) {
           s.make("f", "");
           benchfs_file* const file = s.fs.handle(s.must_open("f", O_RDONLY));
           benchfs_file* const other = s.fs.handle(s.must_open("f", O_RDWR));
           std::int64_t before = -1;
           s.is(told(benchfs_counter_add(file, 3, &before)), 0);
           s.is(before, std::int64_t{0});
           s.is(told(benchfs_counter_set(file, INT64_MAX, &before)), 0);
           s.is(before, std::int64_t{3});
           s.is(told(benchfs_counter_add(file, 1, &before)), -EOVERFLOW);
           s.is(told(benchfs_counter_add(file, -1, &before)), -EINVAL);
           s.is(told(benchfs_counter_set(file, -1, nullptr)), -EINVAL);
           s.is(told(benchfs_counter_add(file, 0, &before)), 0);
           s.is(before, std::int64_t{INT64_MAX});
           s.is(told(benchfs_counter_add(other, 0, &before)), 0);
           s.is(before, std::int64_t{0});
         },
     .kind = Kind::kOwn},
    {.call = "read_list, write_list",
     .sentence = "scatter on both sides, in any order of extents",
     .run =
         [](Stage& s) {
           const int file = s.must_open("f", O_RDWR | O_CREAT);
           Piece piece("abcdef");
           const benchfs_extent out[] = {{1'000'000, 2}, {0, 1}, {5, 0}, {10, 3}};
           s.is(told(benchfs_write_list(s.fs.handle(file), &piece.iov, 1, out, 4)), 6);
           s.is(Stage::text_of(s.fs, file, 13, 0), std::string("c\0\0\0\0\0\0\0\0\0def", 13));
           Piece got("????????");
           const benchfs_extent in[] = {{11, 2}, {10, 3}, {1'000'000, 2}, {0, 1}};
           s.is(told(benchfs_read_list(s.fs.handle(file), &got.iov, 1, in, 4)), 8);
           s.is(got.bytes, "efdefabc");
         },
     .kind = Kind::kOwn},
    {.call = "read_list",
     .sentence = "zeroes in memory what lies behind the end, and does not count it",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           Piece got("?????");
           const benchfs_extent in[] = {{100, 2}, {1, 3}};
           s.is(
               told(benchfs_read_list(s.fs.handle(s.must_open("f", O_RDONLY)), &got.iov, 1, in, 2)),
               2);
           s.is(got.bytes, std::string("\0\0bc\0", 5));
         },
     .kind = Kind::kOwn},
    {.call = "read_list, write_list",
     .sentence = "EINVAL: totals that differ, either way; nothing is written",
     .run =
         [](Stage& s) {
           const int file = s.must_open("f", O_RDWR | O_CREAT);
           Piece piece("abc");
           const benchfs_extent extents[] = {{0, 2}, {10, 2}};
           for (const std::size_t count : {std::size_t{1}, std::size_t{2}}) {
             s.is(told(benchfs_write_list(s.fs.handle(file), &piece.iov, 1, extents, count)),
                  -EINVAL);
             s.is(told(benchfs_read_list(s.fs.handle(file), &piece.iov, 1, extents, count)),
                  -EINVAL);
           }
           s.is(told(benchfs_write_list(s.fs.handle(file), &piece.iov, 1, nullptr, 1)), -EINVAL);
           s.is(s.size("f"), 0);
         },
     .kind = Kind::kOwn},
    {.call = "read_list, write_list",
     .sentence = "EBADF: not open for it",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           Piece piece("abc");
           const benchfs_extent extent{0, 3};
           s.is(told(benchfs_write_list(s.fs.handle(s.must_open("f", O_RDONLY)), &piece.iov, 1,
                                        &extent, 1)),
                -EBADF);
           s.is(told(benchfs_read_list(s.fs.handle(s.must_open("f", O_WRONLY)), &piece.iov, 1,
                                       &extent, 1)),
                -EBADF);
         },
     .kind = Kind::kOwn},
    {.call = "pread_begin, pwrite_begin",
     .sentence = "end with what the blocking calls return; close is EBUSY before",
     .run =
         [](Stage& s) {
           const int file = s.must_open("f", O_RDWR | O_CREAT);
           benchfs_request* const writing =
               benchfs_pwrite_begin(s.fs.handle(file), "abcdef", 6, 3'000'000);
           s.holds(writing != nullptr, "the write begins");
           s.is(told(benchfs_close(s.fs.handle(file))), -EBUSY);
           s.is(told(benchfs_request_wait(writing)), 6);
           char bytes[10];
           benchfs_request* const reading =
               benchfs_pread_begin(s.fs.handle(file), bytes, 10, 3'000'002);
           ssize_t count = 0;
           while (benchfs_request_test(reading, &count) == 0) {
           }
           s.is(count, 4);
           s.is(std::string(bytes, 4), "cdef");
         },
     .kind = Kind::kOwn},
    {.call = "pread_begin, pwrite_begin",
     .sentence = "EINVAL, EBADF: as the blocking calls, at the begin or at the end",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           const int file = s.must_open("f", O_RDONLY);
           s.is(told(benchfs_pwrite_begin(s.fs.handle(file), "x", 1, -1)), -EINVAL);
           benchfs_request* const request = benchfs_pwrite_begin(s.fs.handle(file), "x", 1, 0);
           s.is(request == nullptr ? told(request) : told(benchfs_request_wait(request)), -EBADF);
           s.is(s.text("f"), "abc");
         },
     .kind = Kind::kOwn},
    {.call = "file_export, file_attach",
     .sentence = "open the same file in another client, with the exporter's access",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           const int file = s.must_open("f", O_RDONLY);
           char exported[BENCHFS_EXPORT_SIZE];
           s.is(told(benchfs_file_export(s.fs.handle(file), exported, sizeof exported)), 0);
           benchfs_file* const attached =
               benchfs_file_attach(s.other.mount(), exported, sizeof exported);
           s.is(told(attached), 0);
           char bytes[3];
           s.is(told(benchfs_pread(attached, bytes, 3, 0)), 3);
           s.is(std::string(bytes, 3), "abc");
           s.is(told(benchfs_pwrite(attached, "x", 1, 0)), -EBADF);
           s.is(told(benchfs_close(attached)), 0);
         },
     .kind = Kind::kOwn},
    {.call = "file_export, file_attach",
     .sentence = "EINVAL: too little room, or bytes that are no export; ESTALE: another session's",
     .run =
         [](Stage& s) {
           const int file = s.must_open("f", O_RDWR | O_CREAT);
           unsigned char exported[BENCHFS_EXPORT_SIZE];
           s.is(told(benchfs_file_export(s.fs.handle(file), exported, sizeof exported - 1)),
                -EINVAL);
           s.is(told(benchfs_file_export(s.fs.handle(file), nullptr, sizeof exported)), -EINVAL);
           s.is(told(benchfs_file_export(s.fs.handle(file), exported, sizeof exported)), 0);
           s.is(told(benchfs_file_attach(s.other.mount(), exported, sizeof exported - 1)), -EINVAL);
           s.is(told(benchfs_file_attach(s.other.mount(), nullptr, sizeof exported)), -EINVAL);
           unsigned char damaged[BENCHFS_EXPORT_SIZE] = {};
           s.is(told(benchfs_file_attach(s.other.mount(), damaged, sizeof damaged)), -EINVAL);
           for (std::size_t i = 0; i < sizeof exported; ++i) {
             std::memcpy(damaged, exported, sizeof damaged);
             damaged[i] ^= 0xFFU;
             benchfs_file* const attached =
                 benchfs_file_attach(s.other.mount(), damaged, sizeof damaged);
             const long code = told(attached);
             s.holds(code == 0 || code == -EINVAL || code == -ESTALE, "damage is told, or no harm");
             if (attached != nullptr) {
               s.is(told(benchfs_close(attached)), 0);
             }
           }
         },
     .kind = Kind::kOwn},
    {.call = "file_layout",
     .sentence = "tells chunk size and servers; EINVAL for a chunk size of 0 or above 2^40",
     .run =
         [](Stage& s) {
           const auto path = s.fs.directory() + "/g";
           const auto open_with = [&](benchfs_layout layout) {
             return benchfs_open(s.fs.mount(), path.c_str(), O_RDWR | O_CREAT, 0644, &layout);
           };
           s.is(told(open_with({0, 1})), -EINVAL);
           s.is(told(open_with({(1ULL << 40) + 1, 1})), -EINVAL);
           benchfs_file* const file = open_with({12'345, 1});
           benchfs_layout got{};
           s.is(told(benchfs_file_layout(file, &got)), 0);
           s.is(static_cast<long>(got.chunk_size), 12'345);
           s.is(static_cast<long>(got.stripe_count), 1);
           s.is(told(benchfs_close(file)), 0);
           s.is(told(benchfs_file_layout(s.fs.handle(s.must_open("f", O_RDWR | O_CREAT)), &got)),
                0);
           s.is(static_cast<long>(got.chunk_size), 1 << 20);
           s.is(static_cast<long>(got.stripe_count), benchfs_server_count(s.fs.mount()));
         },
     .kind = Kind::kOwn},
    {.call = "mount_close",
     .sentence = "EBUSY: a file or a directory is open; then nothing happens",
     .run =
         [](Stage& s) {
           benchfs_mount* const mount = benchfs_mount_open(nullptr);
           const auto path = s.fs.directory() + "/f";
           benchfs_file* const file =
               benchfs_open(mount, path.c_str(), O_RDWR | O_CREAT, 0644, nullptr);
           s.is(told(benchfs_mount_close(mount)), -EBUSY);
           s.is(told(benchfs_pwrite(file, "abc", 3, 0)), 3);
           s.is(told(benchfs_close(file)), 0);
           benchfs_dir* const directory = benchfs_opendir(mount, "/");
           s.is(told(benchfs_mount_close(mount)), -EBUSY);
           s.is(told(benchfs_closedir(directory)), 0);
           s.is(told(benchfs_mount_close(mount)), 0);
           s.is(s.text("f"), "abc");
         },
     .kind = Kind::kOwn},
    {.call = "mount_open",
     .sentence = "ENOENT: there is no session; EINVAL: what is there is none",
     .run =
         [](Stage& s) {
           s.is(told(benchfs_mount_open("/no/such/session")), -ENOENT);
           s.is(told(benchfs_mount_open("/dev/null")), -EINVAL);
           s.is(told(benchfs_mount_open("")), -EINVAL);
         },
     .kind = Kind::kOwn},
    {.call = "ping",
     .sentence = "reaches every server; EINVAL for one that is none",
     .run =
         [](Stage& s) {
           const int count = benchfs_server_count(s.fs.mount());
           for (int i = 0; i < count; ++i) {
             s.is(told(benchfs_ping(s.fs.mount(), i)), 0);
           }
           s.is(told(benchfs_ping(s.fs.mount(), count)), -EINVAL);
           s.is(told(benchfs_ping(s.fs.mount(), -1)), -EINVAL);
         },
     .kind = Kind::kOwn},
    {.call = "NULL",
     .sentence = "EINVAL: no mount, no file, no directory, no path, nowhere to put the answer",
     .run =
         [](Stage& s) {
           benchfs_mount* const mount = s.fs.mount();
           struct stat out {};
           char byte = 0;
           s.is(told(benchfs_mount_close(nullptr)), -EINVAL);
           s.is(told(benchfs_open(nullptr, "/", O_RDONLY, 0, nullptr)), -EINVAL);
           s.is(told(benchfs_open(mount, nullptr, O_RDONLY, 0, nullptr)), -EINVAL);
           s.is(told(benchfs_close(nullptr)), -EINVAL);
           s.is(told(benchfs_pread(nullptr, &byte, 1, 0)), -EINVAL);
           s.is(told(benchfs_pwrite(nullptr, &byte, 1, 0)), -EINVAL);
           s.is(told(benchfs_lseek(nullptr, 0, SEEK_SET)), -EINVAL);
           s.is(told(benchfs_fstat(nullptr, &out)), -EINVAL);
           s.is(told(benchfs_fsync(nullptr)), -EINVAL);
           s.is(told(benchfs_stat(mount, nullptr, &out)), -EINVAL);
           s.is(told(benchfs_stat(mount, "/", nullptr)), -EINVAL);
           s.is(told(benchfs_rename(mount, "/f", nullptr)), -EINVAL);
           s.is(told(benchfs_rename(mount, nullptr, "/f")), -EINVAL);
           s.is(told(benchfs_opendir(mount, nullptr)), -EINVAL);
           s.is(told(benchfs_readdir(nullptr, nullptr)), -EINVAL);
           s.is(told(benchfs_closedir(nullptr)), -EINVAL);
           s.is(told(benchfs_statvfs(mount, nullptr)), -EINVAL);
         },
     .kind = Kind::kOwn},
    {.call = "benchfs.hpp",
     .sentence = "throws what the C interface says: the errno and a sentence with the path",
     .run =
         [](Stage& s) {
           benchfs::Session session;
           const std::string path = s.fs.directory() + "/no";
           try {
             session.open(path, O_RDONLY);
             s.holds(false, "it throws");
           } catch (const std::system_error& error) {
             s.is(error.code().value(), ENOENT);
             s.holds(std::string(error.what()).find(path) != std::string::npos,
                     "the sentence names the path");
           }
           benchfs::File file = session.open(path, O_RDWR | O_CREAT);
           file.write(std::as_bytes(std::span("abc", 3)), 0);
           s.is(static_cast<long>(file.size()), 3);
           file.close();
           s.holds(!file.is_open(), "it is closed");
           s.is(s.text("no"), "abc");
         },
     .kind = Kind::kOwn},
});

/// Writes to `file` until that fails, 1 MiB at a time; returns what it failed with, and how much
/// was acknowledged.
std::pair<long, off_t> fill(FileSystem& fs, int file) {
  const std::string block(1 << 20, 'x');
  off_t end = 0;
  for (;;) {
    const ssize_t count = fs.pwrite(file, block.data(), block.size(), end);
    if (count < 0) {
      return {count, end};
    }
    end += count;
  }
}

constexpr auto kFullStoreRows = std::to_array<Row>({
    {.call = "full store",
     .sentence = "ENOSPC ends writing; all that was acknowledged is there; unlink makes room again",
     .run =
         [](Stage& s) {
           for (int round = 0; round < 2; ++round) {
             const int file = s.must_open("f", O_RDWR | O_CREAT);
             const auto [code, end] = fill(s.fs, file);
             s.is(code, -ENOSPC);
             s.holds(end > 0, "something fits");
             for (off_t at = 0; at < end; at += 1 << 20) {
               s.is(Stage::text_of(s.fs, file, 1 << 20, at), std::string(1 << 20, 'x'));
             }
             s.is(s.fs.close(file), 0);
             s.holds(s.size("f") >= end, "the size is not less");
             s.is(s.fs.unlink("f"), 0);
           }
         },
     .kind = Kind::kOwn,
     .why = "the local file system is not to be filled"},
    {.call = "full store",
     .sentence = "ENOSPC for one file leaves names, reads, truncating and removing to work",
     .run =
         [](Stage& s) {
           s.make("small", "abc");
           const int file = s.must_open("f", O_RDWR | O_CREAT);
           const auto [code, end] = fill(s.fs, file);
           s.is(code, -ENOSPC);
           s.is(s.text("small"), "abc");
           s.is(s.fs.rename("small", "renamed"), 0);
           s.is(s.names("."), std::vector<std::string>{"f", "renamed"});
           s.is(s.fs.ftruncate(file, 0), 0);
           s.is(s.fs.pwrite(file, "again", 5, 0), 5);
           s.is(s.text("f"), "again");
         },
     .kind = Kind::kOwn,
     .why = "the local file system is not to be filled"},
});

}  // namespace

std::span<const Row> own_rows() {
  return kRows;
}

std::span<const Row> full_store_rows() {
  return kFullStoreRows;
}

}  // namespace benchfs::test
