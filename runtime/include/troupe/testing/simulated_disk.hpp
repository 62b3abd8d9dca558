// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

namespace troupe::testing {

struct simulated_disk_options {
  /// How probable it is that a crash spares something that was not synced: some of the last
  /// renames and removals, a part of what was written.
  double spares = 0.5;
  std::uint64_t seed = 0; ///< of that; 0: as `random_bits` says
};

/// A directory that forgets what was not synced when its machine crashes. The files in it
/// are real ones, used by the ordinary calls (`open_file`, `write_file`, `replace_file`, ...);
/// what is done to them in other ways is not seen, and taken to be synced.
///
/// After a crash a file has the content of its last `sync`, and perhaps, in blocks of 512
/// bytes, some of what was written since. The first sync of a new file makes its name last,
/// too, as file systems do; renames and removals last when the directory was synced, as
/// `replace_file` does. What of them is lost is lost from the last one on.
///
/// Any thread may use the files. The directory is removed at the end.
class simulated_disk {
public:
  /// Makes a directory for temporary files. Throws `std::filesystem::filesystem_error`.
  explicit simulated_disk(simulated_disk_options options);
  simulated_disk();
  simulated_disk(const simulated_disk&) = delete;
  simulated_disk& operator=(const simulated_disk&) = delete;
  ~simulated_disk();

  [[nodiscard]] const std::filesystem::path& path() const noexcept;

  /// The power fails: from here on all that is done with the files fails with EIO, until
  /// `power_on`, which gives back what is left. No file may be open then. A `node` does
  /// both. Throw `std::filesystem::filesystem_error`, `std::bad_alloc`.
  void power_off();
  void power_on();

private:
  class state;
  std::unique_ptr<state> state_;
};

} // namespace troupe::testing
