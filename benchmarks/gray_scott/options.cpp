#include "options.h"

#include <charconv>
#include <limits>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace gray_scott {
namespace {

// Keeps every count that MPI takes as int, and every sum of them, in range.
constexpr std::int64_t kSideMax = 1 << 20;

Result<std::int64_t> parse_side(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 1 || value > kSideMax) {
    return fail(fmt::format("--size: '{}' is not a number from 1 to {}", text, kSideMax));
  }
  return value;
}

}  // namespace

Result<Grid> parse_grid(const std::string& text) {
  const std::string_view all = text;
  const std::size_t cut = all.find('x');
  const Result<std::int64_t> rows = parse_side(all.substr(0, cut));
  if (!rows) {
    return fail(rows.error());
  }
  if (cut == std::string_view::npos) {
    return Grid{*rows, *rows};
  }
  const Result<std::int64_t> columns = parse_side(all.substr(cut + 1));
  if (!columns) {
    return fail(columns.error());
  }
  return Grid{*rows, *columns};
}

Result<ParsedOptions> parse_options(int argc, const char* const* argv) {
  ParsedOptions parsed;
  Options& options = parsed.options;
  std::string size = "1024";

  CLI::App app{"Gray-Scott reaction-diffusion with HDF5 checkpoints and restart", "gray_scott"};
  app.add_option(
         "--checkpoints", options.checkpoints,
         "Directory of the checkpoints, as MPI-IO takes it: /dir or benchfs:/dir; it must exist")
      ->required();
  app.add_option("--size", size, "Cells: N for N x N, or ROWSxCOLUMNS (default 1024)");
  app.add_option("--steps", options.steps, "Steps from the initial state to the end")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{9'999'999}))
      ->capture_default_str();
  app.add_option("--checkpoint-every", options.checkpoint_every, "Steps between checkpoints")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{9'999'999}))
      ->capture_default_str();
  app.add_option("--keep", options.keep, "Checkpoints kept; older ones are deleted")
      ->check(CLI::Range(std::uint64_t{2}, std::uint64_t{1000}))
      ->capture_default_str();
  app.add_flag("--restart", options.restart, "Continue from the newest complete checkpoint");
  app.add_option("--feed", options.parameters.feed, "Feed rate of u")->capture_default_str();
  app.add_option("--kill", options.parameters.kill, "Removal rate of v")->capture_default_str();

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    parsed.only_help = true;
    parsed.text = app.help();
    return parsed;
  } catch (const CLI::ParseError& error) {
    return fail(error.what());
  }
  const Result<Grid> grid = parse_grid(size);
  if (!grid) {
    return fail(grid.error());
  }
  options.grid = *grid;
  if (options.checkpoints.empty()) {
    return fail("--checkpoints: the directory is empty");
  }
  for (const double rate : {options.parameters.feed, options.parameters.kill}) {
    if (!(rate >= 0.0 && rate <= 0.2)) {
      return fail("--feed and --kill: rates lie between 0 and 0.2");
    }
  }
  return parsed;
}

}  // namespace gray_scott
