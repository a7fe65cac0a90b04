// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "builder/base/result.h"
#include "builder/policy/compression_choice.h"

namespace kd {

// Where the inputs are taken from.
struct InputPlaces {
  std::string confdir;  // initramfs-tools style; empty: none
  std::string config;   // below the sysroot; empty: /etc/default/kdump-tools, which may be missing
  std::string sysroot;  // empty: "/", which is not the root of a machine in `facts`
  std::string kernel_root;  // empty: sysroot
  std::string facts;        // a recorded machine in place of the live one
};

// What is asked of the image itself.
struct ImageRequest {
  std::string variant;  // a name of kVariants; empty: the first that fits
  CompressionRequest compression;
  std::int64_t mtime = 0;                    // SOURCE_DATE_EPOCH
  std::optional<std::uint64_t> reservation;  // bytes, of --crashkernel
  std::string crashed_kernel;                // release; default: that of the image
};

// How the answer is printed.
struct Presentation {
  bool json = false;
  bool list = false;
  bool verbose = false;
  bool quiet = false;
};

// The command line of kdump-mkinitrd(8).
struct Options {
  std::string version;
  std::string output;  // default: /var/lib/kdump/initrd.img-VERSION
  InputPlaces places;
  ImageRequest request;
  Presentation show;
  std::string record;      // write the machine here and stop
  std::string root_image;  // tell the memory of this image, which boots the real root, and stop
  std::string why;
  bool strict = false;
  bool dry_run = false;
  bool check = false;
  bool force = false;
  bool verify = false;
  bool boot_test = false;
  bool calibrate = false;
};

// Either the options, or what to print and the exit code: --help, --version and errors of usage
// end the program before it starts.
struct EarlyExit {
  int code = 0;
  std::string text;
  Presentation show;
};
tl::expected<Options, EarlyExit> parse_options(int argc, const char* const* argv);

}  // namespace kd
