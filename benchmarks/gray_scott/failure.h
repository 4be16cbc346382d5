#pragma once

// How this program reports what went wrong: a sentence for people.

#include <string>
#include <utility>

#include <mpi.h>
#include <tl/expected.hpp>

namespace gray_scott {

template <typename T>
using Result = tl::expected<T, std::string>;
using Status = tl::expected<void, std::string>;

inline tl::unexpected<std::string> fail(std::string text) {
  return tl::unexpected<std::string>(std::move(text));
}

/// The text of an MPI error code.
std::string mpi_error_text(int code);

/// Collective: the same outcome on all ranks. Success if all had success, else the sentence of the
/// lowest rank that failed.
Status agree(MPI_Comm comm, const Status& mine);

}  // namespace gray_scott
