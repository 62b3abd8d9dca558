// SPDX-License-Identifier: BSD-3-Clause
// Empty: CMake compiles the shared headers of the tests with it.
