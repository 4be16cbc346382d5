// Goal: every byte that goes through MPI-IO comes back where it belongs, on any rank, whatever the
// call, the view, the layout of memory and the number of aggregators; and counts are the true ones.
// Method: bytes are a function of data set and offset in the file. What is written through one kind
// of call is read back through another, and every rank compares the whole file with what it must
// hold. Run under mpirun with 1 or more ranks. Argument: the name of a file of benchfs
// ("benchfs:/x").

#include <algorithm>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <random>
#include <string>
#include <utility>

#include <mpi.h>

#include "mpi_report.h"

namespace {

using benchfs::mpitest::byte_at;
using benchfs::mpitest::bytes_at;
using benchfs::mpitest::count_of;
using benchfs::mpitest::Hints;
using benchfs::mpitest::Report;
using Bytes = std::vector<unsigned char>;

int to_int(std::size_t value) {
  return static_cast<int>(value);
}

/// An open file, new and empty, that all ranks share. Closes and deletes itself.
class TestFile {
 public:
  TestFile(Report& report, std::string name, MPI_Info info = MPI_INFO_NULL,
           int mode = MPI_MODE_CREATE | MPI_MODE_RDWR)
      : report_(report), name_(std::move(name)) {
    if (report_.rank() == 0) {
      MPI_File_delete(name_.c_str(), MPI_INFO_NULL);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    report_.check_call("open " + name_,
                       MPI_File_open(MPI_COMM_WORLD, name_.c_str(), mode, info, &file_));
  }
  TestFile(const TestFile&) = delete;
  TestFile& operator=(const TestFile&) = delete;
  ~TestFile() {
    report_.check_call("close " + name_, MPI_File_close(&file_));
    if (report_.rank() == 0) {
      MPI_File_delete(name_.c_str(), MPI_INFO_NULL);
    }
    MPI_Barrier(MPI_COMM_WORLD);
  }

  MPI_File get() const { return file_; }
  const std::string& name() const { return name_; }

  /// Whether the file holds `size` bytes, each as `expected` says. Opens it anew, on this rank
  /// alone.
  bool holds(std::size_t size, const std::function<unsigned char(std::size_t)>& expected) const {
    MPI_Barrier(MPI_COMM_WORLD);
    const bool does = holds_here(size, expected);
    MPI_Barrier(MPI_COMM_WORLD);
    return does;
  }

 private:
  bool holds_here(std::size_t size,
                  const std::function<unsigned char(std::size_t)>& expected) const {
    MPI_File file = MPI_FILE_NULL;
    MPI_Offset found = -1;
    MPI_Status status;
    if (MPI_File_open(MPI_COMM_SELF, name_.c_str(), MPI_MODE_RDONLY, MPI_INFO_NULL, &file) !=
        MPI_SUCCESS) {
      return false;
    }
    Bytes bytes(size + 1);
    MPI_File_get_size(file, &found);
    MPI_File_read_at(file, 0, bytes.data(), to_int(size + 1), MPI_BYTE, &status);
    MPI_File_close(&file);
    if (found != static_cast<MPI_Offset>(size) || count_of(status) != to_int(size)) {
      std::fprintf(stderr, "rank %d: %s has %lld bytes, of which %d were read, instead of %zu\n",
                   report_.rank(), name_.c_str(), static_cast<long long>(found), count_of(status),
                   size);
      return false;
    }
    for (std::size_t i = 0; i < size; ++i) {
      if (bytes[i] != expected(i)) {
        std::fprintf(stderr, "rank %d: %s: byte %zu is %d, not %d\n", report_.rank(), name_.c_str(),
                     i, bytes[i], expected(i));
        return false;
      }
    }
    return true;
  }

  Report& report_;
  std::string name_;
  MPI_File file_ = MPI_FILE_NULL;
};

/// A data type that frees itself.
class Type {
 public:
  explicit Type(MPI_Datatype type) : type_(type) { MPI_Type_commit(&type_); }
  Type(const Type&) = delete;
  Type& operator=(const Type&) = delete;
  ~Type() { MPI_Type_free(&type_); }
  MPI_Datatype get() const { return type_; }

  static MPI_Datatype vector(int count, int length, int stride) {
    MPI_Datatype type = MPI_DATATYPE_NULL;
    MPI_Type_vector(count, length, stride, MPI_BYTE, &type);
    return type;
  }
  static MPI_Datatype resized(MPI_Datatype old, MPI_Aint extent) {
    MPI_Datatype type = MPI_DATATYPE_NULL;
    MPI_Type_create_resized(old, 0, extent, &type);
    MPI_Type_free(&old);
    return type;
  }

 private:
  MPI_Datatype type_;
};

void test_contiguous(Report& report, const std::string& name, std::size_t length) {
  const TestFile file(report, name);
  const auto rank = static_cast<std::size_t>(report.rank());
  const auto count = static_cast<std::size_t>(report.rank_count());
  const std::string what = " of " + std::to_string(length) + " bytes per rank";
  MPI_Status status;
  const Bytes mine = bytes_at(1, rank * length, length);
  report.check_call("write_at_all" + what,
                    MPI_File_write_at_all(file.get(), static_cast<MPI_Offset>(rank * length),
                                          mine.data(), to_int(length), MPI_BYTE, &status));
  report.check("write_at_all counts" + what, count_of(status) == to_int(length));
  report.check("the file holds what the ranks wrote" + what,
               file.holds(count * length, [](std::size_t i) { return byte_at(1, i); }));

  const std::size_t other = (rank + 1) % count;
  Bytes read(length);
  MPI_File_read_at_all(file.get(), static_cast<MPI_Offset>(other * length), read.data(),
                       to_int(length), MPI_BYTE, &status);
  report.check("read_at_all gets the next rank's bytes" + what,
               count_of(status) == to_int(length) && read == bytes_at(1, other * length, length));

  // Overwrite the middle of every part, at odd offsets, without the others.
  const std::size_t from = rank * length + length / 3;
  const std::size_t part = length / 2;
  const Bytes fresh = bytes_at(2, from, part);
  MPI_File_write_at(file.get(), static_cast<MPI_Offset>(from), fresh.data(), to_int(part), MPI_BYTE,
                    &status);
  report.check("write_at counts" + what, count_of(status) == to_int(part));
  report.check("an overwrite changes its bytes and no others" + what,
               file.holds(count * length, [&](std::size_t i) {
                 const std::size_t in_part = i % length;
                 const bool is_fresh = in_part >= length / 3 && in_part < length / 3 + part;
                 return byte_at(is_fresh ? 2 : 1, i);
               }));
}

void test_individual_pointer(Report& report, const std::string& name) {
  const TestFile file(report, name);
  constexpr std::size_t kLength = 10007;
  MPI_Status status;
  MPI_Offset position = 0;
  const auto rank = static_cast<std::size_t>(report.rank());
  const std::size_t size = kLength * static_cast<std::size_t>(report.rank_count());
  MPI_File_seek(file.get(), static_cast<MPI_Offset>(rank * kLength), MPI_SEEK_SET);
  for (std::size_t done = 0, step = 1; done < kLength; done += step, step = step * 3 + 1) {
    step = std::min(step, kLength - done);
    const Bytes bytes = bytes_at(3, rank * kLength + done, step);
    MPI_File_write(file.get(), bytes.data(), to_int(step), MPI_BYTE, &status);
  }
  MPI_File_get_position(file.get(), &position);
  report.check("the position follows writes",
               position == static_cast<MPI_Offset>((rank + 1) * kLength));
  report.check("writes by position end up in order",
               file.holds(size, [](std::size_t i) { return byte_at(3, i); }));
  MPI_File_seek(file.get(), -100, MPI_SEEK_END);
  Bytes tail(500, 0xEE);
  MPI_File_read(file.get(), tail.data(), 500, MPI_BYTE, &status);
  tail.resize(100);
  report.check("a read over the end gets and counts what is there",
               count_of(status) == 100 && tail == bytes_at(3, size - 100, 100));
  MPI_File_read(file.get(), tail.data(), 50, MPI_BYTE, &status);
  report.check("a read at the end gets nothing", count_of(status) == 0);
}

/// Blocks of all ranks take turns; the file starts with `displacement` bytes of nobody.
struct Interleaving {
  std::size_t displacement;
  std::size_t block;
  std::size_t block_count;  // Of each rank.
  std::size_t gap;          // Bytes after each rank's block that nobody writes.
};

std::size_t turn_of(const Interleaving& plan, const Report& report) {
  return (plan.block + plan.gap) * static_cast<std::size_t>(report.rank_count());
}

/// The offset in the file of byte `i` of `rank`'s data.
std::size_t offset_of(const Interleaving& plan, const Report& report, std::size_t rank,
                      std::size_t i) {
  return plan.displacement + i / plan.block * turn_of(plan, report) +
         rank * (plan.block + plan.gap) + i % plan.block;
}

Bytes data_of(const Interleaving& plan, const Report& report, std::uint64_t seed,
              std::size_t rank) {
  Bytes bytes(plan.block * plan.block_count);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = byte_at(seed, offset_of(plan, report, rank, i));
  }
  return bytes;
}

std::size_t end_of(const Interleaving& plan, const Report& report) {
  const auto last = static_cast<std::size_t>(report.rank_count() - 1);
  return offset_of(plan, report, last, plan.block * plan.block_count - 1) + 1;
}

bool holds_interleaved(const TestFile& file, const Interleaving& plan, const Report& report,
                       std::uint64_t seed, const std::function<unsigned char(std::size_t)>& rest) {
  return file.holds(end_of(plan, report), [&](std::size_t i) {
    const bool is_data =
        i >= plan.displacement && (i - plan.displacement) % (plan.block + plan.gap) < plan.block;
    return is_data ? byte_at(seed, i) : rest(i);
  });
}

void set_interleaved_view(const TestFile& file, const Interleaving& plan, const Report& report) {
  const auto rank = static_cast<std::size_t>(report.rank());
  MPI_Datatype block = MPI_DATATYPE_NULL;
  MPI_Type_contiguous(to_int(plan.block), MPI_BYTE, &block);
  const Type type(Type::resized(block, static_cast<MPI_Aint>(turn_of(plan, report))));
  MPI_File_set_view(file.get(),
                    static_cast<MPI_Offset>(plan.displacement + rank * (plan.block + plan.gap)),
                    MPI_BYTE, type.get(), "native", MPI_INFO_NULL);
}

void test_interleaved(Report& report, const std::string& name, const Interleaving& plan,
                      MPI_Info info, const std::string& what) {
  const TestFile file(report, name, info);
  const auto rank = static_cast<std::size_t>(report.rank());
  const auto zero = [](std::size_t) -> unsigned char { return 0; };
  MPI_Status status;
  set_interleaved_view(file, plan, report);

  Bytes bytes = data_of(plan, report, 4, rank);
  report.check_call(
      "collective strided write, " + what,
      MPI_File_write_all(file.get(), bytes.data(), to_int(bytes.size()), MPI_BYTE, &status));
  report.check("it counts all bytes, " + what, count_of(status) == to_int(bytes.size()));
  report.check("it writes its bytes, and gaps read as zeros, " + what,
               holds_interleaved(file, plan, report, 4, zero));

  Bytes read(bytes.size());
  MPI_File_seek(file.get(), 0, MPI_SEEK_SET);
  MPI_File_read(file.get(), read.data(), to_int(read.size()), MPI_BYTE, &status);
  report.check("an independent strided read gets them, " + what,
               read == bytes && count_of(status) == to_int(read.size()));

  bytes = data_of(plan, report, 5, rank);
  MPI_Barrier(MPI_COMM_WORLD);
  MPI_File_write_at(file.get(), 0, bytes.data(), to_int(bytes.size()), MPI_BYTE, &status);
  report.check("an independent strided write changes its bytes and no others, " + what,
               holds_interleaved(file, plan, report, 5, zero));
  std::fill(read.begin(), read.end(), static_cast<unsigned char>(0));
  MPI_File_read_at_all(file.get(), 0, read.data(), to_int(read.size()), MPI_BYTE, &status);
  report.check("a collective strided read gets them, " + what, read == bytes);
}

/// A gap that holds data already keeps it when its neighbours are written.
void test_gaps_keep_data(Report& report, const std::string& name, int mode) {
  const Interleaving plan{.displacement = 11, .block = 700, .block_count = 40, .gap = 33};
  const Hints hints{{"cb_buffer_size", "8192"}, {"benchfs_chunk_size", "3000"}};
  const TestFile file(report, name, hints.get(), mode);
  const std::size_t size = end_of(plan, report);
  const Bytes old = bytes_at(6, 0, size);
  MPI_Status status;
  if (report.rank() == 0) {
    MPI_File_write_at(file.get(), 0, old.data(), to_int(size), MPI_BYTE, &status);
  }
  MPI_Barrier(MPI_COMM_WORLD);
  set_interleaved_view(file, plan, report);
  const Bytes bytes = data_of(plan, report, 7, static_cast<std::size_t>(report.rank()));
  MPI_File_write_all(file.get(), bytes.data(), to_int(bytes.size()), MPI_BYTE, &status);
  report.check(
      std::string("data in the gaps survives a collective write") +
          ((mode & MPI_MODE_WRONLY) != 0 ? ", write-only" : ""),
      holds_interleaved(file, plan, report, 7, [](std::size_t i) { return byte_at(6, i); }));
}

/// Random blocks in the file against random blocks in memory, in calls of random length.
void test_random_types(Report& report, const std::string& name, unsigned seed) {
  const TestFile file(report, name);
  std::mt19937 random(seed);
  const auto draw = [&random](int from, int to) {
    return std::uniform_int_distribution<int>(from, to)(random);
  };
  // All ranks draw the same view; rank r sees it r tiles further, every rank_count-th tile.
  std::vector<int> lengths;
  std::vector<int> starts;
  int tile = 0;
  for (int i = 0; i < 50; ++i) {
    tile += draw(0, 90);
    starts.push_back(tile);
    lengths.push_back(draw(1, 300));
    tile += lengths.back();
  }
  tile += draw(0, 50);
  MPI_Datatype blocks = MPI_DATATYPE_NULL;
  MPI_Type_indexed(50, lengths.data(), starts.data(), MPI_BYTE, &blocks);
  const Type view(Type::resized(blocks, static_cast<MPI_Aint>(tile) * report.rank_count()));
  MPI_File_set_view(file.get(), static_cast<MPI_Offset>(report.rank()) * tile, MPI_BYTE, view.get(),
                    "native", MPI_INFO_NULL);

  // Where each byte of this rank's data stream lies in the file, over three repetitions.
  std::vector<std::size_t> places;
  for (int repetition = 0; repetition < 3; ++repetition) {
    const int origin = (repetition * report.rank_count() + report.rank()) * tile;
    for (std::size_t b = 0; b < lengths.size(); ++b) {
      for (int i = 0; i < lengths[b]; ++i) {
        places.push_back(static_cast<std::size_t>(origin + starts[b] + i));
      }
    }
  }
  // In memory every 5 bytes are followed by 3 that must not be touched.
  const Type memory(Type::resized(Type::vector(1, 5, 5), 8));
  MPI_Status status;
  bool is_right = true;
  std::size_t done = 0;
  while (done < places.size()) {
    const std::size_t groups =
        std::min<std::size_t>(static_cast<std::size_t>(draw(1, 400)), (places.size() - done) / 5);
    if (groups == 0) {
      break;
    }
    Bytes out(groups * 8, 0xAA);
    for (std::size_t i = 0; i < groups * 5; ++i) {
      out[i / 5 * 8 + i % 5] = byte_at(8, places[done + i]);
    }
    MPI_File_write(file.get(), out.data(), to_int(groups), memory.get(), &status);
    int groups_written = 0;
    MPI_Get_count(&status, memory.get(), &groups_written);
    Bytes in(groups * 8, 0xAA);
    MPI_File_read_at(file.get(), static_cast<MPI_Offset>(done), in.data(), to_int(groups),
                     memory.get(), &status);
    is_right = is_right && groups_written == to_int(groups) && in == out;
    done += groups * 5;
  }
  report.check("random blocks in file and memory, seed " + std::to_string(seed), is_right);
  MPI_Barrier(MPI_COMM_WORLD);
  MPI_File_set_view(file.get(), 0, MPI_BYTE, MPI_BYTE, "native", MPI_INFO_NULL);
  const std::size_t first = places.front();
  Bytes plain(static_cast<std::size_t>(tile));
  MPI_File_read_at(file.get(), static_cast<MPI_Offset>(report.rank()) * tile, plain.data(), tile,
                   MPI_BYTE, &status);
  bool is_placed = true;
  for (std::size_t i = 0; i < 50 * 5; ++i) {
    const std::size_t at = places[i];
    is_placed =
        is_placed && plain[at - first + static_cast<std::size_t>(starts[0])] == byte_at(8, at);
  }
  report.check("they lie where the view says, seed " + std::to_string(seed), is_placed);
}

void test_nonblocking(Report& report, const std::string& name) {
  const TestFile file(report, name);
  constexpr std::size_t kLength = 70001;
  constexpr int kRequestCount = 8;
  const auto rank = static_cast<std::size_t>(report.rank());
  const std::size_t base = rank * kLength * kRequestCount;
  std::vector<Bytes> out;
  std::vector<MPI_Request> requests(kRequestCount);
  std::vector<MPI_Status> statuses(kRequestCount);
  for (std::size_t i = 0; i < kRequestCount; ++i) {
    out.push_back(bytes_at(9, base + i * kLength, kLength));
    MPI_File_iwrite_at(file.get(), static_cast<MPI_Offset>(base + i * kLength), out[i].data(),
                       to_int(kLength), MPI_BYTE, &requests[i]);
  }
  MPI_Waitall(kRequestCount, requests.data(), statuses.data());
  const auto is_full = [](const MPI_Status& status) { return count_of(status) == to_int(kLength); };
  report.check("eight writes at once all count their bytes",
               std::all_of(statuses.begin(), statuses.end(), is_full));
  std::vector<Bytes> in(kRequestCount, Bytes(kLength));
  MPI_File_seek(file.get(), static_cast<MPI_Offset>(base), MPI_SEEK_SET);
  for (std::size_t i = 0; i < kRequestCount; ++i) {
    MPI_File_iread(file.get(), in[i].data(), to_int(kLength), MPI_BYTE, &requests[i]);
  }
  MPI_Waitall(kRequestCount, requests.data(), statuses.data());
  report.check("eight reads at once, by position, get them", in == out);

  MPI_Barrier(MPI_COMM_WORLD);
  const std::size_t size = kLength * kRequestCount * static_cast<std::size_t>(report.rank_count());
  MPI_File_iread_at(file.get(), static_cast<MPI_Offset>(size - 10), in[0].data(), to_int(kLength),
                    MPI_BYTE, &requests[0]);
  MPI_Wait(&requests[0], &statuses[0]);
  report.check("a non-blocking read over the end counts what is there",
               count_of(statuses[0]) == 10);

  const Interleaving plan{.displacement = 5, .block = 333, .block_count = 100, .gap = 7};
  set_interleaved_view(file, plan, report);
  const Bytes bytes = data_of(plan, report, 10, rank);
  MPI_File_iwrite_at_all(file.get(), 0, bytes.data(), to_int(bytes.size()), MPI_BYTE, &requests[0]);
  MPI_Wait(&requests[0], &statuses[0]);
  report.check("a non-blocking collective write counts its bytes",
               count_of(statuses[0]) == to_int(bytes.size()));
  MPI_Barrier(MPI_COMM_WORLD);
  Bytes read(bytes.size());
  const int half = to_int(bytes.size() / 2);
  MPI_File_iread_all(file.get(), read.data(), half, MPI_BYTE, &requests[0]);
  MPI_File_iread_all(file.get(), &read[static_cast<std::size_t>(half)], to_int(bytes.size()) - half,
                     MPI_BYTE, &requests[1]);
  MPI_Waitall(2, requests.data(), statuses.data());
  report.check("two non-blocking collective reads at once get them", read == bytes);
}

void test_nothing_to_do(Report& report, const std::string& name) {
  const TestFile file(report, name);
  MPI_Status status;
  MPI_Offset size = -1;
  const Bytes bytes = bytes_at(11, 0, 5000);
  MPI_File_write_at(file.get(), 100000, bytes.data(), 0, MPI_BYTE, &status);
  report.check("a write of nothing counts nothing", count_of(status) == 0);
  MPI_File_write_at_all(file.get(), 100000, bytes.data(), 0, MPI_BYTE, &status);
  report.check("a collective write of nothing counts nothing", count_of(status) == 0);
  MPI_File_get_size(file.get(), &size);
  report.check("writes of nothing do not extend the file", size == 0);
  MPI_Barrier(MPI_COMM_WORLD);
  const int count = report.rank() == report.rank_count() - 1 ? 5000 : 0;
  MPI_File_write_at_all(file.get(), 0, bytes.data(), count, MPI_BYTE, &status);
  report.check("a collective write of one rank alone counts on each rank its own",
               count_of(status) == count);
  report.check("it writes that rank's bytes",
               file.holds(5000, [](std::size_t i) { return byte_at(11, i); }));
}

void test_end_of_file_in_view(Report& report, const std::string& name) {
  const TestFile file(report, name);
  MPI_Status status;
  const Bytes bytes = bytes_at(12, 0, 1000);
  if (report.rank() == 0) {
    MPI_File_write_at(file.get(), 0, bytes.data(), 1000, MPI_BYTE, &status);
  }
  MPI_Barrier(MPI_COMM_WORLD);
  const Type view(Type::resized(Type::vector(1, 100, 100), 300));
  MPI_File_set_view(file.get(), 0, MPI_BYTE, view.get(), "native", MPI_INFO_NULL);
  Bytes read(1000, 0xEE);
  MPI_File_read(file.get(), read.data(), 1000, MPI_BYTE, &status);
  // 100 bytes at 0, 300, 600 and 900; the file ends at 1000.
  bool is_right = count_of(status) == 400;
  for (std::size_t i = 0; i < 400; ++i) {
    is_right = is_right && read[i] == byte_at(12, i / 100 * 300 + i % 100);
  }
  report.check("a strided read over the end gets and counts what is there", is_right);
}

// One rank asks for a view that reaches below its own beginning: nobody gets it, and the old one
// stays.
void test_negative_view(Report& report, const std::string& name) {
  const TestFile file(report, name);
  const Type backwards([] {
    const int displacements[] = {-2, 2};
    MPI_Datatype type = MPI_DATATYPE_NULL;
    MPI_Type_create_indexed_block(2, 1, displacements, MPI_INT, &type);
    return type;
  }());
  MPI_File_set_view(file.get(), 100, MPI_BYTE, MPI_BYTE, "native", MPI_INFO_NULL);
  const bool is_last = report.rank() == report.rank_count() - 1;
  int outcome = MPI_File_set_view(file.get(), 500, MPI_INT, is_last ? backwards.get() : MPI_INT,
                                  "native", MPI_INFO_NULL);
  report.check("a filetype with a negative displacement on one rank is refused on all",
               benchfs::mpitest::error_class(outcome) == MPI_ERR_IO);
  outcome =
      MPI_File_set_view(file.get(), 500, backwards.get(), backwards.get(), "native", MPI_INFO_NULL);
  report.check("and so is such an etype", benchfs::mpitest::error_class(outcome) == MPI_ERR_IO);
  const std::size_t at = static_cast<std::size_t>(report.rank()) * 10;
  const Bytes mine = bytes_at(15, at, 10);
  MPI_Status status;
  MPI_File_write_at_all(file.get(), static_cast<MPI_Offset>(at), mine.data(), 10, MPI_BYTE,
                        &status);
  MPI_File_set_view(file.get(), 0, MPI_BYTE, MPI_BYTE, "native", MPI_INFO_NULL);
  const std::size_t size = 100 + 10 * static_cast<std::size_t>(report.rank_count());
  report.check("the view before it stays", file.holds(size, [](std::size_t i) {
    return i < 100 ? static_cast<unsigned char>(0) : byte_at(15, i - 100);
  }));
}

void test_two_files(Report& report, const std::string& name, const std::string& directory) {
  const std::string plain = directory + "/benchfs-beside-" + std::to_string(report.rank_count());
  const TestFile ours(report, name);
  const TestFile theirs(report, plain);
  const auto rank = static_cast<std::size_t>(report.rank());
  constexpr std::size_t kLength = 50000;
  MPI_Status status;
  for (std::size_t turn = 0; turn < 4; ++turn) {
    const std::size_t at = (turn * static_cast<std::size_t>(report.rank_count()) + rank) * kLength;
    const Bytes to_ours = bytes_at(13, at, kLength);
    const Bytes to_theirs = bytes_at(14, at, kLength);
    MPI_File_write_at_all(ours.get(), static_cast<MPI_Offset>(at), to_ours.data(), to_int(kLength),
                          MPI_BYTE, &status);
    MPI_File_write_at_all(theirs.get(), static_cast<MPI_Offset>(at), to_theirs.data(),
                          to_int(kLength), MPI_BYTE, &status);
  }
  const std::size_t size = 4 * kLength * static_cast<std::size_t>(report.rank_count());
  report.check("a file of benchfs beside one of another file system holds its bytes",
               ours.holds(size, [](std::size_t i) { return byte_at(13, i); }));
  report.check("and so does the other",
               theirs.holds(size, [](std::size_t i) { return byte_at(14, i); }));
}

void test_interleavings(Report& report, const std::string& name) {
  const Hints plain{};
  const Hints rounds{{"cb_buffer_size", "4096"}, {"benchfs_chunk_size", "1000"}};
  const Hints many{{"cb_config_list", "*:*"}, {"cb_nodes", "3"}, {"benchfs_chunk_size", "64K"}};
  const Hints alone{{"romio_cb_write", "disable"}, {"romio_cb_read", "disable"}};
  const Interleaving tight{.displacement = 0, .block = 1024, .block_count = 300, .gap = 0};
  const Interleaving loose{.displacement = 777, .block = 129, .block_count = 500, .gap = 13};
  const Interleaving wide{.displacement = 3, .block = 300001, .block_count = 5, .gap = 4097};
  test_interleaved(report, name, tight, plain.get(), "without gaps");
  test_interleaved(report, name, loose, plain.get(), "with gaps");
  test_interleaved(report, name, loose, rounds.get(), "in many rounds over small chunks");
  test_interleaved(report, name, wide, many.get(), "with several aggregators");
  test_interleaved(report, name, loose, alone.get(), "without aggregation");
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s FILE DIRECTORY\n", argv[0]);
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  const std::string name = argv[1];
  Report report;
  for (const std::size_t length : {7U, 4096U, 1048576U, 9437185U}) {
    test_contiguous(report, name, length);
  }
  test_individual_pointer(report, name);
  test_interleavings(report, name);
  test_gaps_keep_data(report, name, MPI_MODE_CREATE | MPI_MODE_RDWR);
  test_gaps_keep_data(report, name, MPI_MODE_CREATE | MPI_MODE_WRONLY);
  for (unsigned seed = 0; seed < 5; ++seed) {
    test_random_types(report, name, seed);
  }
  test_nonblocking(report, name);
  test_nothing_to_do(report, name);
  test_end_of_file_in_view(report, name);
  test_negative_view(report, name);
  test_two_files(report, name, argv[2]);
  MPI_Finalize();
  return report.exit_status();
}
