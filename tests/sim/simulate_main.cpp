// simulate: runs seeds of the simulation.
//
//   simulate --seed N [--trace]             one seed, replayed exactly
//   simulate --seconds N [--from SEED]      seeds one after the other, fresh ones unless told
//   simulate --seeds N [--from SEED]        the same for a number of seeds
//   simulate --mutation NAME --seeds N      breaks something on purpose; 0 if a seed shows it
//
// Each seed of a hunt runs in a process of its own, so that one that aborts or hangs is found out
// like one that breaks a promise.

#include <cstdio>
#include <cstdlib>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/log.h"
#include "sim/hunt.h"
#include "sim/simulation.h"

namespace benchfs::sim {
namespace {

int run_one(std::uint64_t seed, bool trace, const Mutation* mutation, bool spare) {
  const Plan plan = mutation == nullptr ? make_plan(seed) : mutated_plan(*mutation, seed);
  std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), plan.describe().c_str());
  std::fflush(stdout);
  const Hooks hooks = mutation == nullptr || spare ? Hooks{} : mutated_hooks(*mutation);
  const Report report = simulate(plan, hooks, trace ? Trace::kPrinted : Trace::kSilent);
  for (const auto& [name, count] : report.counts) {
    std::printf("  %-40s %llu\n", name.c_str(), static_cast<unsigned long long>(count));
  }
  std::printf("%llu events, %.3f s of virtual time, trace %016llx\n",
              static_cast<unsigned long long>(report.events),
              static_cast<double>(report.virtual_ns) / 1e9,
              static_cast<unsigned long long>(report.trace_hash));
  if (!report.violation.empty()) {
    std::printf("VIOLATION %s\n", report.violation.c_str());
    return 1;
  }
  return 0;
}

int run(int argc, char** argv) {
  CLI::App app("Runs seeds of the simulation.");
  std::uint64_t seed = 0;
  bool trace = false;
  HuntOptions hunt;
  auto* const one = app.add_option("--seed", seed, "this seed alone");
  app.add_flag("--trace", trace, "print every event of it");
  app.add_option("--seconds", hunt.seconds, "hunt for so long");
  app.add_option("--seeds", hunt.seeds, "hunt through so many seeds");
  auto* const from = app.add_option("--from", hunt.from, "the first seed of a hunt");
  app.add_option("--jobs", hunt.jobs, "processes at once");
  std::string mutation;
  auto* const mutate =
      app.add_option("--mutation", mutation, "break this on purpose, until a seed shows it");
  app.add_flag("--spare", hunt.spare, "the mutation's plans, but nothing broken");
  bool list = false;
  app.add_flag("--mutations", list, "list what can be broken");
  bool verbose = false;
  app.add_flag("--verbose", verbose, "let the product say what it logs");
  CLI11_PARSE(app, argc, argv);
  // A server that is killed finds its drive failed, and says so: nobody wants to read that.
  configure_log(verbose ? LogLevel::kInfo : static_cast<LogLevel>(-1), "sim");
  if (list) {
    for (const Mutation& item : mutations()) {
      std::printf("%-20s %s\n", std::string(item.name).c_str(), std::string(item.what).c_str());
    }
    return 0;
  }
  if (mutate->count() > 0) {
    hunt.mutation = find_mutation(mutation);
    if (hunt.mutation == nullptr) {
      std::fprintf(stderr, "simulate: there is no mutation %s; see --mutations\n",
                   mutation.c_str());
      return 2;
    }
  }
  if (one->count() > 0) {
    return run_one(seed, trace, hunt.mutation, hunt.spare);
  }
  if (hunt.seconds == 0 && hunt.seeds == 0) {
    std::fputs("simulate: give --seed, --seconds or --seeds\n", stderr);
    return 2;
  }
  if (from->count() == 0) {
    SystemRandom random;
    hunt.from = random.next_u64() >> 20U;
  }
  return hunt_seeds(hunt);
}

}  // namespace
}  // namespace benchfs::sim

int main(int argc, char** argv) {
  return benchfs::sim::run(argc, argv);
}
