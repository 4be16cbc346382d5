// Goal: every call of the file API keeps what it promises of POSIX, and refuses what it does not.
// Method: rows, each a promise in a sentence with a check, run in the live session
// $BENCHFS_SESSION; and, where the kernel makes the same promise, in a local directory too, so that
// no row promises what POSIX does not. A row that differs from the kernel on purpose must not hold
// there.

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "conformance/stage.h"
#include "support/temp_dir.h"

namespace benchfs::test {
namespace {

constexpr std::size_t kClientCount = 4;

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::kPosix:
      return "POSIX";
    case Kind::kOwn:
      return "own";
    case Kind::kDiffers:
      return "differs";
    case Kind::kMissing:
      return "missing";
  }
  return "";
}

/// Removes a directory and what is in it; what cannot be removed is told.
void remove_tree(FileSystem& fs, const std::string& path) {
  std::vector<Entry> entries;
  const int directory = fs.opendir(path);
  Entry entry;
  while (directory >= 0 && fs.readdir(directory, &entry) == 1) {
    entries.push_back(entry);
  }
  if (directory >= 0) {
    fs.closedir(directory);
  }
  for (const Entry& each : entries) {
    const std::string below = path + "/" + each.name;
    if (S_ISDIR(each.attributes.st_mode)) {
      remove_tree(fs, below);
    } else {
      fs.unlink(below);
    }
  }
  if (const int result = fs.rmdir(path); result != 0) {
    fmt::print("conformance: removing {}: {}\n", path, result);
  }
}

/// One file system with its clients.
class Side {
 public:
  explicit Side(std::vector<std::unique_ptr<FileSystem>> clients) : clients_(std::move(clients)) {}

  /// What is wrong; nothing if the row holds.
  std::string run(const Row& row, const std::string& directory) {
    FileSystem& fs = *clients_.front();
    if (const int made = fs.mkdir(directory); made != 0) {
      return fmt::format("    no directory to work in: {}\n", made);
    }
    std::vector<FileSystem*> clients;
    for (const auto& client : clients_) {
      client->enter(directory);
      clients.push_back(client.get());
    }
    Stage stage(clients);
    row.run(stage);
    std::string failures = stage.failures();
    for (const auto& client : clients_) {
      client->leave();
      if (!client->complaint().empty()) {
        failures += "    " + client->complaint() + "\n";
      }
    }
    remove_tree(fs, directory);
    return failures;
  }

  bool is_whole() const {
    return std::all_of(clients_.begin(), clients_.end(),
                       [](const auto& client) { return client != nullptr; });
  }

 private:
  std::vector<std::unique_ptr<FileSystem>> clients_;
};

class Table {
 public:
  Table(Side session, Side local) : session_(std::move(session)), local_(std::move(local)) {}

  void run(const Row& row) {
    const std::string directory = fmt::format("/conformance-{}-{}", ::getpid(), ++count_);
    const std::string wrong = session_.run(row, directory);
    bool good = wrong.empty();
    std::string text = wrong.empty() ? "" : "  at benchfs:\n" + wrong;
    if (row.kind != Kind::kOwn) {
      const std::string wrong_local = local_.run(row, directory);
      if (row.kind == Kind::kPosix && !wrong_local.empty()) {
        text += "  at the local file system, so that the row expects what POSIX does not say:\n" +
                wrong_local;
        good = false;
      } else if (row.kind != Kind::kPosix && wrong_local.empty()) {
        text += "  it holds at the local file system too: it is no difference\n";
        good = false;
      }
    }
    if (row.defect[0] != '\0') {
      text += good ? "  it holds: the known defect is mended, take the mark away\n"
                   : fmt::format("  known defect: {}\n", row.defect);
      good = false;
    }
    failed_ += good ? 0 : 1;
    fmt::print("{} [{}] {}: {}\n{}", good ? "ok  " : "FAIL", name_of(row.kind), row.call,
               row.sentence, text);
    std::fflush(stdout);
  }

  int summary() const {
    fmt::print("conformance: {} rows hold, {} fail\n", count_ - failed_, failed_);
    return failed_ == 0 && count_ > 0 ? 0 : 1;
  }

 private:
  Side session_;
  Side local_;
  int count_ = 0;
  int failed_ = 0;
};

void print_markdown(std::span<const Row> rows) {
  for (const Row& row : rows) {
    std::string note = row.why;
    if (row.defect[0] != '\0') {
      note += fmt::format("{}known defect: {}", note.empty() ? "" : "; ", row.defect);
    }
    fmt::print("| {} | {} | {} | {} |\n", row.call, row.sentence, name_of(row.kind), note);
  }
}

std::vector<std::unique_ptr<FileSystem>> make_clients(
    const std::function<std::unique_ptr<FileSystem>()>& make) {
  std::vector<std::unique_ptr<FileSystem>> clients;
  for (std::size_t i = 0; i < kClientCount; ++i) {
    clients.push_back(make());
  }
  return clients;
}

}  // namespace
}  // namespace benchfs::test

int main(int argc, char** argv) {
  using namespace benchfs::test;  // NOLINT(google-build-using-namespace)
  bool markdown = false;
  bool full_store = false;
  std::string only;
  CLI::App app("Checks what the file API of $BENCHFS_SESSION promises.");
  app.add_flag("--markdown", markdown, "print the table and do nothing else");
  app.add_flag("--full-store", full_store, "fill the session, which should have little space");
  app.add_option("--only", only, "run rows whose call or sentence contain this");
  CLI11_PARSE(app, argc, argv);

  std::vector<std::span<const Row>> table = {
      open_rows(),   data_rows(),      size_rows(),      name_rows(),   path_rows(),
      rename_rows(), link_rows(), attribute_rows(), directory_rows(), client_rows(), own_rows(),
  };
  if (markdown) {
    table.push_back(full_store_rows());
    fmt::print("| call | promise | kind | note |\n| --- | --- | --- | --- |\n");
    for (const auto rows : table) {
      print_markdown(rows);
    }
    return 0;
  }
  if (full_store) {
    table = {full_store_rows()};
  }

  ::umask(0);  // Modes are compared as they were asked for.
  const TempDir place;
  const int root = ::open(place.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  Side session(make_clients(join_session));
  Side local(make_clients([root] { return open_local(root); }));
  if (!session.is_whole() || root < 0) {
    return 1;
  }
  Table rows(std::move(session), std::move(local));
  for (const auto group : table) {
    for (const Row& row : group) {
      if ((std::string(row.call) + ": " + row.sentence).find(only) != std::string::npos) {
        rows.run(row);
      }
    }
  }
  return rows.summary();
}
