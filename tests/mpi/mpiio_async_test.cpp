// Goal: non-blocking transfers move while the program computes, many at a time on one file, in any
// order of waiting; their counts, file pointers and failures are what MPI says, and memory that is
// given back too early by a careless program costs nobody his data.
// Method: bytes are a function of data set and offset; what was written without blocking is read by
// blocking calls and the other way round. That data moves by itself is seen by another rank, while
// the writer spins without a call to MPI until that rank has seen it. Run under mpirun with 2 or
// more ranks on one node. Arguments: the name of a file of benchfs ("benchfs:/x"), and what one
// server can hold, in bytes.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include <mpi.h>

#include "mpi_report.h"
#include "test_file.h"

namespace {

using benchfs::mpitest::Bytes;
using benchfs::mpitest::bytes_at;
using benchfs::mpitest::count_of;
using benchfs::mpitest::error_class;
using benchfs::mpitest::Report;
using benchfs::mpitest::TestFile;
using benchfs::mpitest::to_int;
using Clock = std::chrono::steady_clock;

constexpr auto kPatience = std::chrono::seconds(60);

/// A flag that all ranks of the node see without a call to MPI.
class SharedFlag {
 public:
  SharedFlag() {
    MPI_Aint size = 0;
    int unit = 0;
    void* mine = nullptr;
    void* place = nullptr;
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Win_allocate_shared(rank == 0 ? sizeof(std::atomic<int>) : 0, 1, MPI_INFO_NULL,
                            MPI_COMM_WORLD, &mine, &window_);
    MPI_Win_shared_query(window_, 0, &size, &unit, &place);
    flag_ = static_cast<std::atomic<int>*>(place);
    if (rank == 0) {
      new (flag_) std::atomic<int>(0);
    }
    MPI_Barrier(MPI_COMM_WORLD);
  }
  SharedFlag(const SharedFlag&) = delete;
  SharedFlag& operator=(const SharedFlag&) = delete;
  ~SharedFlag() { MPI_Win_free(&window_); }
  std::atomic<int>& operator*() { return *flag_; }

 private:
  MPI_Win window_ = MPI_WIN_NULL;
  std::atomic<int>* flag_ = nullptr;
};

void check_moves_by_itself(Report& report, const std::string& name) {
  constexpr std::size_t kBytes = 24U << 20U;
  TestFile file(report, name);
  SharedFlag seen;
  const Bytes data = bytes_at(1, 0, kBytes);
  bool was_seen = true;
  if (report.rank() == 0) {
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Status status;
    MPI_File_iwrite_at(file.get(), 0, data.data(), to_int(kBytes), MPI_BYTE, &request);
    const auto give_up = Clock::now() + kPatience;
    while ((*seen).load() == 0 && Clock::now() < give_up) {
      // This is the program that computes.
    }
    was_seen = (*seen).load() != 0;
    MPI_Wait(&request, &status);
    was_seen = was_seen && count_of(status) == to_int(kBytes);
  } else if (report.rank() == 1) {
    const auto give_up = Clock::now() + kPatience;
    do {
      was_seen = file.read(0, kBytes) == data;
    } while (!was_seen && Clock::now() < give_up);
    (*seen).store(1);
  }
  report.check("a write moves while its program computes", was_seen);

  SharedFlag written;
  bool reads = true;
  if (report.rank() == 0) {
    Bytes got(kBytes);
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Status status;
    MPI_File_iread_at(file.get(), 0, got.data(), to_int(kBytes), MPI_BYTE, &request);
    const auto give_up = Clock::now() + kPatience;
    volatile const unsigned char* const last = &got.back();
    while (*last != data.back() && Clock::now() < give_up) {
    }
    reads = *last == data.back();
    MPI_Wait(&request, &status);
    reads = reads && count_of(status) == to_int(kBytes) && got == data;
  }
  report.check("a read moves while its program computes", reads);
}

void check_many_at_a_time(Report& report, const std::string& name) {
  constexpr int kCount = 64;
  constexpr std::size_t kLength = 70'001;
  TestFile file(report, name);
  const std::size_t base = static_cast<std::size_t>(report.rank()) * kCount * kLength;
  std::vector<Bytes> out(kCount);
  std::vector<MPI_Request> requests(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    out[i] = bytes_at(2, base + i * kLength, kLength);
    MPI_File_iwrite_at(file.get(), static_cast<MPI_Offset>(base + i * kLength), out[i].data(),
                       to_int(kLength), MPI_BYTE, &requests[i]);
  }
  // By turns: the last, whichever is ready, and then all.
  MPI_Status status;
  bool counts = MPI_Wait(&requests[kCount - 1], &status) == MPI_SUCCESS &&
                count_of(status) == to_int(kLength);
  for (int i = 0; i < 5; ++i) {
    int index = MPI_UNDEFINED;
    MPI_Waitany(kCount, requests.data(), &index, &status);
    counts = counts && index != MPI_UNDEFINED && count_of(status) == to_int(kLength);
  }
  int done = 0;
  while (done == 0) {
    MPI_Testall(kCount, requests.data(), &done, MPI_STATUSES_IGNORE);
  }
  const Bytes got = file.read(static_cast<MPI_Offset>(base), kCount * kLength);
  report.check("64 writes at a time are all there",
               counts && got == bytes_at(2, base, kCount * kLength));

  std::vector<Bytes> in(kCount, Bytes(kLength));
  for (std::size_t i = 0; i < kCount; ++i) {
    MPI_File_iread_at(file.get(), static_cast<MPI_Offset>(base + i * kLength), in[i].data(),
                      to_int(kLength), MPI_BYTE, &requests[i]);
  }
  MPI_Waitall(kCount, requests.data(), MPI_STATUSES_IGNORE);
  report.check("64 reads at a time are all there", in == out);
}

/// Each rank has every n-th block, and its memory has gaps as well.
void check_strided(Report& report, const std::string& name, bool collective) {
  constexpr int kBlocks = 3000;
  constexpr int kLength = 24;
  TestFile file(report, name);
  const int ranks = report.rank_count();
  MPI_Datatype view = MPI_DATATYPE_NULL;
  MPI_Datatype memory = MPI_DATATYPE_NULL;
  MPI_Type_vector(kBlocks, kLength, kLength * ranks, MPI_BYTE, &view);
  MPI_Type_vector(kBlocks, kLength, kLength + 1, MPI_BYTE, &memory);
  MPI_Type_commit(&view);
  MPI_Type_commit(&memory);
  MPI_File_set_view(file.get(), static_cast<MPI_Offset>(report.rank()) * kLength, MPI_BYTE, view,
                    "native", MPI_INFO_NULL);
  Bytes out(static_cast<std::size_t>(kBlocks) * (kLength + 1), 0xEE);
  for (std::size_t b = 0; b < kBlocks; ++b) {
    const auto offset =
        (b * static_cast<std::size_t>(ranks) + static_cast<std::size_t>(report.rank())) * kLength;
    const Bytes block = bytes_at(3, offset, kLength);
    std::memcpy(&out[b * (kLength + 1)], block.data(), kLength);
  }
  MPI_Request requests[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
  MPI_Status status;
  const auto write = collective ? MPI_File_iwrite_at_all : MPI_File_iwrite_at;
  report.check_call("begin to write strided",
                    write(file.get(), 0, out.data(), 1, memory, &requests[0]));
  MPI_Wait(&requests[0], &status);
  MPI_Barrier(MPI_COMM_WORLD);
  const std::size_t size =
      static_cast<std::size_t>(kBlocks) * kLength * static_cast<std::size_t>(ranks);
  report.check(collective ? "a collective strided write is there" : "a strided write is there",
               count_of(status) == kBlocks * kLength && file.read(0, size) == bytes_at(3, 0, size));

  Bytes first(out.size(), 0xEE);
  Bytes second(out.size(), 0xEE);
  const auto read = collective ? MPI_File_iread_at_all : MPI_File_iread_at;
  read(file.get(), 0, first.data(), 1, memory, &requests[0]);
  read(file.get(), 0, second.data(), 1, memory, &requests[1]);
  MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
  report.check(collective ? "two collective strided reads at a time bring the same"
                          : "two strided reads at a time bring the same",
               first == out && second == out);
  MPI_Type_free(&view);
  MPI_Type_free(&memory);
}

void check_pointers_and_ends(Report& report, const std::string& name) {
  constexpr int kLength = 1000;
  TestFile file(report, name);
  const Bytes data = bytes_at(4, 0, 2 * kLength);
  MPI_Request requests[3] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL, MPI_REQUEST_NULL};
  MPI_Status statuses[3];
  MPI_Offset position = -1;
  if (report.rank() == 0) {
    MPI_File_iwrite(file.get(), data.data(), kLength, MPI_BYTE, &requests[0]);
    MPI_File_iwrite(file.get(), data.data() + kLength, kLength, MPI_BYTE, &requests[1]);
    MPI_File_get_position(file.get(), &position);
    MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
  }
  report.check("the pointer moves when a call begins",
               report.rank() != 0 || position == 2 * kLength);
  MPI_Barrier(MPI_COMM_WORLD);

  Bytes got(3 * kLength, 0);
  MPI_File_iread_at(file.get(), 0, got.data(), kLength, MPI_BYTE, &requests[0]);
  MPI_File_iread_at(file.get(), kLength, got.data() + kLength, 2 * kLength, MPI_BYTE, &requests[1]);
  MPI_File_iread_at(file.get(), 3 * kLength, got.data(), 0, MPI_BYTE, &requests[2]);
  MPI_Waitall(3, requests, statuses);
  report.check("a read over the end counts what is there",
               count_of(statuses[0]) == kLength && count_of(statuses[1]) == kLength &&
                   count_of(statuses[2]) == 0 && std::equal(data.begin(), data.end(), got.begin()));

  MPI_Request request = MPI_REQUEST_NULL;
  int is_cancelled = 1;
  MPI_File_iread_at(file.get(), 0, got.data(), kLength, MPI_BYTE, &request);
  MPI_Cancel(&request);
  MPI_Wait(&request, &statuses[0]);
  MPI_Test_cancelled(&statuses[0], &is_cancelled);
  report.check("what has begun is not cancelled",
               is_cancelled == 0 && count_of(statuses[0]) == kLength);
}

void check_freed_request(Report& report, const std::string& name) {
  constexpr std::size_t kBytes = 8U << 20U;
  TestFile file(report, name);
  const std::size_t base = static_cast<std::size_t>(report.rank()) * kBytes;
  Bytes data = bytes_at(5, base, kBytes);
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_File_iwrite_at(file.get(), static_cast<MPI_Offset>(base), data.data(), to_int(kBytes),
                     MPI_BYTE, &request);
  const int freed = MPI_Request_free(&request);
  file.close();  // Waits for it: until then the memory is lent.
  std::fill(data.begin(), data.end(), static_cast<unsigned char>(0));
  const bool is_there =
      file.read(static_cast<MPI_Offset>(base), kBytes) == bytes_at(5, base, kBytes);
  report.check("a request that was freed is done at close",
               freed == MPI_SUCCESS && request == MPI_REQUEST_NULL && is_there);
}

/// Converted data is in a buffer of ROMIO's, which is gone when the call has returned.
void check_external32(Report& report, const std::string& name) {
  constexpr std::size_t kCount = 1U << 20U;
  const TestFile file(report, name);
  const auto first = static_cast<MPI_Offset>(report.rank()) * to_int(kCount);
  std::vector<int> data(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    data[i] = static_cast<int>(first) + to_int(i) + 0x01020304;
  }
  report.check_call("a view of external32", MPI_File_set_view(file.get(), 0, MPI_INT, MPI_INT,
                                                              "external32", MPI_INFO_NULL));
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_File_iwrite_at_all(file.get(), first, data.data(), to_int(kCount), MPI_INT, &request);
  report.check_call("iwrite_at_all in external32", MPI_Wait(&request, MPI_STATUS_IGNORE));
  std::vector<int> back(kCount);
  MPI_File_iread_at_all(file.get(), first, back.data(), to_int(kCount), MPI_INT, &request);
  report.check_call("iread_at_all in external32", MPI_Wait(&request, MPI_STATUS_IGNORE));
  report.check("reads back what was written", back == data);
  report.check("which is in the file with its highest byte first",
               file.read(0, 4) == Bytes({1, 2, 3, 4}));
}

/// The class of the failure that the file's error handler has heard of last.
int handled_class = MPI_SUCCESS;
void handle(MPI_File* /*file*/, int* code, ...) {
  handled_class = error_class(*code);
}

/// Many transfers are under way when the servers have no room left.
void check_failure(Report& report, const std::string& name, std::size_t capacity) {
  constexpr std::size_t kBytes = 16U << 20U;
  const benchfs::mpitest::Hints one_server = {{"benchfs_stripe_count", "1"}};
  TestFile file(report, name, one_server.get());
  MPI_Errhandler handler = MPI_ERRHANDLER_NULL;
  MPI_File_create_errhandler(handle, &handler);
  MPI_File_set_errhandler(file.get(), handler);
  bool began = true;
  bool failed = false;
  bool counted = true;
  if (report.rank() == 0) {
    const Bytes data = bytes_at(6, 0, kBytes);
    std::vector<MPI_Request> requests(capacity / kBytes + 8, MPI_REQUEST_NULL);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      began =
          began && MPI_File_iwrite_at(file.get(), static_cast<MPI_Offset>(i * kBytes), data.data(),
                                      to_int(kBytes), MPI_BYTE, &requests[i]) == MPI_SUCCESS;
    }
    for (MPI_Request& request : requests) {
      MPI_Status status;
      const int code = MPI_Wait(&request, &status);
      counted = counted && request == MPI_REQUEST_NULL &&
                (code != MPI_SUCCESS || count_of(status) == to_int(kBytes));
#ifdef MPICH  // Its generalized requests keep no class, and know no file.
      failed = failed || code != MPI_SUCCESS;
#else
      failed = failed || error_class(code) == MPI_ERR_NO_SPACE;
#endif
    }
  }
  report.check("transfers begin, and who waits hears of a failure", began && counted);
#ifdef MPICH
  report.check("a full store is an error to who waits", report.rank() != 0 || failed);
#else
  report.check("a full store is MPI_ERR_NO_SPACE, for the file's error handler",
               report.rank() != 0 || (failed && handled_class == MPI_ERR_NO_SPACE));
#endif
  MPI_Errhandler_free(&handler);
}

}  // namespace

int main(int argc, char** argv) {
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_SINGLE, &provided);
#ifdef MPICH  // There the failure of a request goes to this handler, not to the file's.
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
#endif
  int status = 2;
  if (argc == 3) {
    Report report;
    const std::string name = argv[1];
    check_moves_by_itself(report, name);
    check_many_at_a_time(report, name);
    check_strided(report, name, false);
    check_strided(report, name, true);
    check_pointers_and_ends(report, name);
    check_freed_request(report, name);
    check_external32(report, name);
    check_failure(report, name, std::strtoull(argv[2], nullptr, 10));
    status = report.exit_status();
  } else {
    std::fprintf(stderr, "usage: mpiio_async_test benchfs:/NAME CAPACITY\n");
  }
  MPI_Finalize();
  return status;
}
