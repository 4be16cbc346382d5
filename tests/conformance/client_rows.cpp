// Rows about several clients: what one does the others see, and races have one outcome.

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include <fcntl.h>

#include "conformance/stage.h"

namespace benchfs::test {
namespace {

constexpr int kRounds = 50;

constexpr auto kRows = std::to_array<Row>({
    {.call = "clients",
     .sentence = "a write is there for all others when it returns, with the size",
     .run =
         [](Stage& s) {
           const int writer = s.must_open("f", O_RDWR | O_CREAT);
           const int reader = s.other.open("f", O_RDONLY);
           struct stat out {};
           for (int i = 1; i <= kRounds; ++i) {
             const std::string text = std::to_string(i);
             s.is(s.fs.pwrite(writer, text.data(), text.size(), i * 100'000),
                  static_cast<long>(text.size()));
             s.is(Stage::text_of(s.other, reader, 100, i * 100'000), text);
             s.is(s.other.fstat(reader, &out), 0);
             s.is(out.st_size, i * 100'000 + static_cast<long>(text.size()));
           }
         }},
    {.call = "clients",
     .sentence = "names come and go for all others when the call returns",
     .run =
         [](Stage& s) {
           struct stat out {};
           for (int i = 0; i < kRounds; ++i) {
             s.is(s.fs.mkdir("d"), 0);
             s.is(s.other.stat("d", &out), 0);
             s.make("d/f");
             s.is(s.other.stat("d/f", &out), 0);
             s.is(s.other.rename("d/f", "d/g"), 0);
             s.is(s.fs.stat("d/f", &out), -ENOENT);
             s.is(s.fs.stat("d/g", &out), 0);
             s.is(s.other.unlink("d/g"), 0);
             s.is(s.fs.open("d/g", O_RDONLY), -ENOENT);
             s.is(s.other.rmdir("d"), 0);
             s.is(s.fs.stat("d", &out), -ENOENT);
           }
         }},
    {.call = "clients",
     .sentence = "a directory that another has made anew is not taken for the old one",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.make("d/f", "old");
           s.is(s.other.unlink("d/f"), 0);
           s.is(s.other.rmdir("d"), 0);
           s.is(s.other.mkdir("d"), 0);
           s.make("d/g", "new");
           s.is(s.text("d/g"), "new");
           s.is(s.names("d"), std::vector<std::string>{"g"});
           s.is(s.fs.unlink("d/g"), 0);
           s.is(s.other.rmdir("d"), 0);
           s.is(s.fs.open("d/h", O_RDWR | O_CREAT), -ENOENT);
         }},
    {.call = "clients",
     .sentence = "a file that another has removed stays for who has it open",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           const int file = s.must_open("f", O_RDWR);
           s.is(s.other.unlink("f"), 0);
           s.is(s.fs.pwrite(file, "XY", 2, 3), 2);
           s.is(Stage::text_of(s.fs, file, 10, 0), "abcXY");
         }},
    {.call = "races",
     .sentence = "O_CREAT | O_EXCL: one creates, the others EEXIST",
     .run =
         [](Stage& s) {
           for (int i = 0; i < kRounds; ++i) {
             const std::string name = "f" + std::to_string(i);
             const auto results = s.race([&name](FileSystem& fs, unsigned) -> long {
               return std::min(fs.open(name, O_RDWR | O_CREAT | O_EXCL), 0);
             });
             s.is(std::count(results.begin(), results.end(), 0), 1);
             s.is(std::count(results.begin(), results.end(), -EEXIST),
                  static_cast<long>(results.size()) - 1);
           }
         }},
    {.call = "races",
     .sentence = "mkdir: one makes it; rmdir: one removes it; the others EEXIST and ENOENT",
     .run =
         [](Stage& s) {
           for (int i = 0; i < kRounds; ++i) {
             const auto made =
                 s.race([](FileSystem& fs, unsigned) -> long { return fs.mkdir("d"); });
             s.is(std::count(made.begin(), made.end(), 0), 1);
             s.is(std::count(made.begin(), made.end(), -EEXIST),
                  static_cast<long>(made.size()) - 1);
             const auto gone =
                 s.race([](FileSystem& fs, unsigned) -> long { return fs.rmdir("d"); });
             s.is(std::count(gone.begin(), gone.end(), 0), 1);
             s.is(std::count(gone.begin(), gone.end(), -ENOENT),
                  static_cast<long>(gone.size()) - 1);
           }
         }},
    {.call = "races",
     .sentence = "unlink: one removes, the others ENOENT",
     .run =
         [](Stage& s) {
           for (int i = 0; i < kRounds; ++i) {
             s.make("f");
             const auto gone =
                 s.race([](FileSystem& fs, unsigned) -> long { return fs.unlink("f"); });
             s.is(std::count(gone.begin(), gone.end(), 0), 1);
             s.is(std::count(gone.begin(), gone.end(), -ENOENT),
                  static_cast<long>(gone.size()) - 1);
           }
         }},
    {.call = "races",
     .sentence = "rename of one name to many: one gets it, the others ENOENT",
     .run =
         [](Stage& s) {
           for (int i = 0; i < kRounds; ++i) {
             s.make("f", "abc");
             const auto moved = s.race([](FileSystem& fs, unsigned client) -> long {
               return fs.rename("f", "g" + std::to_string(client));
             });
             s.is(std::count(moved.begin(), moved.end(), 0), 1);
             s.is(std::count(moved.begin(), moved.end(), -ENOENT),
                  static_cast<long>(moved.size()) - 1);
             const auto names = s.names(".");
             s.is(static_cast<long>(names.size()), 1);
             for (const std::string& name : names) {
               s.is(s.text(name), "abc");
               s.is(s.fs.unlink(name), 0);
             }
           }
         }},
    {.call = "races",
     .sentence = "rename of many names to one: all succeed, and one of them is there, whole",
     .run =
         [](Stage& s) {
           for (int i = 0; i < kRounds; ++i) {
             for (std::size_t client = 0; client < s.clients.size(); ++client) {
               s.make("g" + std::to_string(client), "from " + std::to_string(client));
             }
             const auto moved = s.race([](FileSystem& fs, unsigned client) -> long {
               return fs.rename("g" + std::to_string(client), "f");
             });
             s.is(std::count(moved.begin(), moved.end(), 0), static_cast<long>(moved.size()));
             s.is(s.names("."), std::vector<std::string>{"f"});
             s.is(s.text("f").substr(0, 5), "from ");
           }
         }},
    {.call = "races",
     .sentence = "rename over a file: who opens the name finds the old file or the new, never none",
     .run =
         [](Stage& s) {
           s.make("f", "old!");
           const auto results = s.race([](FileSystem& fs, unsigned client) -> long {
             for (int i = 0; i < kRounds; ++i) {
               if (client == 0) {
                 const int file = fs.open("new", O_WRONLY | O_CREAT);
                 if (fs.pwrite(file, "new!", 4, 0) != 4 || fs.close(file) != 0 ||
                     fs.rename("new", "f") != 0) {
                   return -1;
                 }
                 continue;
               }
               const int file = fs.open("f", O_RDONLY);
               if (file < 0) {
                 return file;
               }
               const std::string text = Stage::text_of(fs, file, 10, 0);
               if ((text != "old!" && text != "new!") || fs.close(file) != 0) {
                 return -1;
               }
             }
             return 0;
           });
           s.is(std::count(results.begin(), results.end(), 0), static_cast<long>(results.size()));
         }},
    {.call = "races",
     .sentence = "O_APPEND: what each wrote is there, in one piece and in its order",
     .run =
         [](Stage& s) {
           s.make("f");
           const auto results = s.race([](FileSystem& fs, unsigned client) -> long {
             const int file = fs.open("f", O_WRONLY | O_APPEND);
             for (int i = 0; i < kRounds; ++i) {
               const std::string piece = std::string(100, static_cast<char>('a' + client)) +
                                         std::to_string(1000 + i) + "\n";
               if (fs.write(file, piece.data(), piece.size()) !=
                   static_cast<ssize_t>(piece.size())) {
                 return -1;
               }
             }
             return fs.close(file);
           });
           s.is(std::count(results.begin(), results.end(), 0), static_cast<long>(results.size()));
           const std::string text = s.text("f");
           s.is(static_cast<long>(text.size()),
                static_cast<long>(s.clients.size()) * kRounds * 105);
           std::vector<int> next(s.clients.size(), 0);
           for (std::size_t at = 0; at + 105 <= text.size(); at += 105) {
             const auto client = static_cast<std::size_t>(text[at] - 'a');
             s.holds(client < next.size() &&
                         text.substr(at, 105) == std::string(100, text[at]) +
                                                     std::to_string(1000 + next[client]++) + "\n",
                     "the piece is whole and the next of its writer");
           }
         }},
    {.call = "races",
     .sentence = "rmdir against creating in it: it goes and nothing is in it, or it stays",
     .run =
         [](Stage& s) {
           for (int i = 0; i < kRounds; ++i) {
             s.is(s.fs.mkdir("d"), 0);
             const auto results = s.race([](FileSystem& fs, unsigned client) -> long {
               return client == 0
                          ? fs.rmdir("d")
                          : std::min(fs.open("d/f" + std::to_string(client), O_WRONLY | O_CREAT),
                                     0);
             });
             const auto created = std::count(results.begin() + 1, results.end(), 0);
             s.is(results[0], created > 0 ? -ENOTEMPTY : 0);
             s.is(created + std::count(results.begin() + 1, results.end(), -ENOENT),
                  static_cast<long>(results.size()) - 1);
             if (created > 0) {
               s.is(static_cast<long>(s.names("d").size()), created);
               for (const std::string& name : s.names("d")) {
                 s.is(s.fs.unlink("d/" + name), 0);
               }
               s.is(s.fs.rmdir("d"), 0);
             }
           }
         }},
});

}  // namespace

std::span<const Row> client_rows() {
  return kRows;
}

}  // namespace benchfs::test
