// Runs the solver, writes checkpoints, and continues from them. See README.md.

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <hdf5.h>
#include <mpi.h>

#include "catalogue.h"
#include "checkpoint.h"
#include "options.h"

namespace gray_scott {
namespace {

constexpr double kProgressSeconds = 1.0;
constexpr int kExitUsage = 2;

int world_rank() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

// Rank 0 speaks, a line at a time, at once: whoever reads may act on the line.
template <typename... Args>
void say(fmt::format_string<Args...> text, Args&&... args) {
  if (world_rank() == 0) {
    fmt::print("{}\n", fmt::format(text, std::forward<Args>(args)...));
    std::fflush(stdout);
  }
}

// An I/O failure may leave other ranks inside a collective call, so the job ends here.
[[noreturn]] void give_up(const std::string& text) {
  fmt::print(stderr, "gray_scott: rank {}: {}\n", world_rank(), text);
  std::fflush(stderr);
  MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
  std::abort();
}

double mib(double bytes) {
  return bytes / (1 << 20);
}

double giga_per_second(double bytes, double seconds) {
  return seconds > 0 ? bytes / seconds / 1e9 : 0;
}

// One run, from the initial state or a checkpoint to the last step.
class Run {
 public:
  Run(const Options& options, Decomposition decomposition)
      : options_(options),
        decomposition_(std::move(decomposition)),
        solver_(decomposition_, options.parameters) {}

  void execute() {
    greet();
    open_catalogue();
    if (options_.restart) {
      restart();
    } else {
      clear_catalogue();
    }
    advance();
    say("final: step {}, checksum {:016x}", step_, total_checksum(solver_.state(), decomposition_));
  }

 private:
  bool is_root() const { return decomposition_.rank() == 0; }

  double cells() const {
    return static_cast<double>(options_.grid.rows) * static_cast<double>(options_.grid.columns);
  }
  double state_bytes() const { return cells() * kPlaneCount * sizeof(double); }

  void greet() const {
    say("gray_scott: {} ranks as {} x {}, {} x {} cells, {:.1f} MiB per checkpoint, {} steps",
        decomposition_.rank_count(), decomposition_.rank_rows(), decomposition_.rank_columns(),
        options_.grid.rows, options_.grid.columns, mib(state_bytes()), options_.steps);
  }

  // Rank 0 alone uses the catalogue; what it says reaches the others as a list of states.
  void open_catalogue() {
    if (!is_root()) {
      return;
    }
    Result<Catalogue> opened = Catalogue::open(options_.checkpoints, options_.keep);
    if (!opened) {
      give_up(opened.error());
    }
    catalogue_.push_back(std::move(*opened));
  }

  void clear_catalogue() {
    if (!is_root()) {
      return;
    }
    if (const Status cleared = catalogue_.front().clear(); !cleared) {
      give_up(cleared.error() + " (does the directory exist?)");
    }
  }

  std::vector<StateId> known_states() const {
    std::vector<StateId> states =
        is_root() ? catalogue_.front().newest_first() : std::vector<StateId>();
    std::uint64_t count = states.size();
    MPI_Bcast(&count, 1, MPI_UINT64_T, 0, decomposition_.comm());
    states.resize(count);
    MPI_Bcast(states.data(), static_cast<int>(count * sizeof(StateId)), MPI_BYTE, 0,
              decomposition_.comm());
    return states;
  }

  void restart() {
    const std::vector<StateId> states = known_states();
    for (const StateId& state : states) {
      if (state.step > options_.steps) {
        say("restart: step {} is behind the last step asked for; looking further back", state.step);
        continue;
      }
      const std::string path = checkpoint_path(options_.checkpoints, state.step);
      const double begin = MPI_Wtime();
      const Status read =
          read_checkpoint(path, decomposition_, options_.parameters, state, solver_.state());
      if (read) {
        const double seconds = MPI_Wtime() - begin;
        step_ = state.step;
        say("restart: step {} from {}, verified, {:.1f} MiB in {:.3f} s, {:.2f} GB/s", step_, path,
            mib(state_bytes()), seconds, giga_per_second(state_bytes(), seconds));
        break;
      }
      say("restart: {}; taking the one before", read.error());
      solver_.reset();
    }
    if (step_ == 0) {
      say("restart: no complete checkpoint in {}, starting at step 0", options_.checkpoints);
    }
    if (is_root()) {
      catalogue_.front().forget_above(step_);
    }
  }

  void advance() {
    double shown = MPI_Wtime();
    std::uint64_t shown_step = step_;
    while (step_ < options_.steps) {
      solver_.step();
      ++step_;
      if (step_ % options_.checkpoint_every == 0 || step_ == options_.steps) {
        checkpoint();
      }
      const double now = MPI_Wtime();
      if (now - shown >= kProgressSeconds) {
        const double steps = static_cast<double>(step_ - shown_step);
        say("step {} of {}, {} %, {:.0f} million cells/s", step_, options_.steps,
            100 * step_ / options_.steps, steps * cells() / (now - shown) / 1e6);
        shown = now;
        shown_step = step_;
      }
    }
  }

  void checkpoint() {
    const std::string path = checkpoint_path(options_.checkpoints, step_);
    const StateId state{step_, total_checksum(solver_.state(), decomposition_)};
    MPI_Barrier(decomposition_.comm());
    say("checkpoint: step {}, writing {}", step_, path);
    const double begin = MPI_Wtime();
    const Status written =
        write_checkpoint(path, decomposition_, options_.parameters, solver_.state(), state);
    if (!written) {
      give_up(written.error());
    }
    MPI_Barrier(decomposition_.comm());
    if (is_root()) {
      if (const Status added = catalogue_.front().add(state); !added) {
        give_up(added.error());
      }
    }
    const double seconds = MPI_Wtime() - begin;
    say("checkpoint: step {}, complete, {:.1f} MiB in {:.3f} s, {:.2f} GB/s", step_,
        mib(state_bytes()), seconds, giga_per_second(state_bytes(), seconds));
  }

  const Options& options_;
  Decomposition decomposition_;
  Solver solver_;
  std::vector<Catalogue> catalogue_;  ///< One on rank 0, none elsewhere.
  std::uint64_t step_ = 0;            ///< Steps done.
};

int run(int argc, char** argv) {
  const Result<ParsedOptions> parsed = parse_options(argc, argv);
  if (!parsed) {
    if (world_rank() == 0) {
      fmt::print(stderr, "gray_scott: {}\n", parsed.error());
    }
    return kExitUsage;
  }
  if (parsed->only_help) {
    say("{}", parsed->text);
    return EXIT_SUCCESS;
  }
  Result<Decomposition> decomposition = Decomposition::create(MPI_COMM_WORLD, parsed->options.grid);
  if (!decomposition) {
    if (world_rank() == 0) {
      fmt::print(stderr, "gray_scott: {}\n", decomposition.error());
    }
    return kExitUsage;
  }
  // Failures are reported as sentences of our own.
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  Run(parsed->options, std::move(*decomposition)).execute();
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace gray_scott

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  const int status = gray_scott::run(argc, argv);
  MPI_Finalize();
  return status;
}
