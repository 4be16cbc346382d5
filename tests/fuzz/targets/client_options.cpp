// What a mount is told by its caller and the environment: accepted are a session directory and a
// time-out within the limits, refused in a sentence that names the variable.
//
// Input: choice 1 (1: the caller names the session; 2: the variable does; 4: there is a time-out),
// session directory, NUL, time-out.

#include <string>

#include "base/parse.h"
#include "client/options.h"
#include "fuzz/fuzz.h"

namespace benchfs::fuzz {
namespace {

struct Environment {
  const char* session = nullptr;
  const char* timeout = nullptr;
};
Environment environment;  // get_variable() has no place for it.

const char* get_variable(const char* name) {
  const std::string_view asked = name;
  return asked == "BENCHFS_SESSION"   ? environment.session
         : asked == "BENCHFS_TIMEOUT" ? environment.timeout
                                      : nullptr;
}

}  // namespace

Verdict run_one(ConstBytes bytes) {
  Input input(bytes);
  const std::uint8_t choice = input.take_byte();
  const std::string text = to_text(input.rest());
  const std::string session = text.substr(0, text.find('\0'));
  const std::string timeout = text.substr(std::min(session.size() + 1, text.size())).c_str();
  environment.session = (choice & 2U) != 0 ? session.c_str() : nullptr;
  environment.timeout = (choice & 4U) != 0 ? timeout.c_str() : nullptr;
  const bool named = (choice & 3U) != 0 && !session.empty();

  const auto options =
      client::read_options((choice & 1U) != 0 ? session.c_str() : nullptr, get_variable);
  const auto timeout_ns = parse_duration_ns(timeout);
  const bool timeout_fits = environment.timeout == nullptr ||
                            (timeout_ns.has_value() && *timeout_ns >= client::kTimeoutNsMin &&
                             *timeout_ns <= client::kTimeoutNsMax);
  FUZZ_CHECK(options.has_value() == (named && timeout_fits));
  if (!options.has_value()) {
    const std::string_view culprit = named ? "BENCHFS_TIMEOUT" : "BENCHFS_SESSION";
    FUZZ_CHECK(options.error().find(culprit) != std::string::npos);
    return Verdict::kRefused;
  }
  FUZZ_CHECK(options->session_directory == session);
  FUZZ_CHECK(options->timeout_ns ==
             (environment.timeout == nullptr ? kTimeoutNsDefault : *timeout_ns));
  return Verdict::kAccepted;
}

std::vector<Seed> seeds() {
  using namespace std::string_literals;
  return {{"by_caller", with_choice(1, to_buffer("/session"))},
          {"by_variable", with_choice(2, to_buffer("/session"))},
          {"with_timeout", with_choice(5, to_buffer("/session\0"s + "500ms"))},
          {"longest_timeout", with_choice(6, to_buffer("/session\0"s + "60m"))}};
}

}  // namespace benchfs::fuzz
