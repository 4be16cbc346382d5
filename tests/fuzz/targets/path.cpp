// Paths of users: what is accepted is within the limits, has no "" or "." left, agrees with a plain
// model, and written out again means the same.
//
// Input: the path.

#include "client/path.h"

#include "base/limits.h"
#include "fuzz/fuzz.h"
#include "wire/attributes.h"

namespace benchfs::fuzz {
namespace {

/// The words between slashes, walked one by one.
std::vector<std::string> walk(const std::string& text) {
  std::vector<std::string> stack;
  std::string word;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] != '/') {
      word += text[i];
      continue;
    }
    if (!word.empty() && word != ".") {
      stack.push_back(word);
    }
    word.clear();
  }
  return stack;
}

bool ends_in(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

Verdict run_one(ConstBytes bytes) {
  const std::string text = to_text(bytes);
  const AllocationMeter meter;
  const auto path = client::parse_path(text);
  FUZZ_CHECK(meter.bytes() <= 128 * text.size() + 256);
  if (!path.has_value()) {
    const Errc code = path.error().code;
    FUZZ_CHECK(code == Errc::kNotFound || code == Errc::kInvalid || code == Errc::kNameTooLong);
    FUZZ_CHECK((code == Errc::kNotFound) == text.empty());
    return Verdict::kRefused;
  }
  FUZZ_CHECK(text.size() <= kPathBytesMax && text.front() == '/');
  FUZZ_CHECK(path->components == walk(text));
  FUZZ_CHECK(path->is_absolute);
  FUZZ_CHECK(path->must_be_directory == (path->is_root() || ends_in(text, "/") ||
                                         ends_in(text, "/.") || ends_in(text, "/..")));
  std::string canonical;
  for (const std::string& name : path->components) {
    FUZZ_CHECK(wire::is_valid_name(name) || name == "..");
    canonical += "/" + name;
  }
  canonical += path->must_be_directory ? "/" : "";
  const auto again = client::parse_path(canonical);
  FUZZ_CHECK(again.has_value() && again->components == path->components &&
             again->must_be_directory == path->must_be_directory);
  return Verdict::kAccepted;
}

std::vector<Seed> seeds() {
  std::vector<Seed> out;
  const auto add = [&out](const std::string& name, const std::string& text) {
    out.push_back({name, to_buffer(text)});
  };
  add("root", "/");
  add("file", "/directory/file");
  add("directory", "/directory/");
  add("dots", "/a/./b/../c/..");
  add("above_root", "/../../a//b/.");
  add("long_name", "/" + std::string(kNameBytesMax, 'n'));
  return out;
}

}  // namespace benchfs::fuzz
